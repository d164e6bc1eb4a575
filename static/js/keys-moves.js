// The list of keys by keyboard: j and k move, x selects, e edits, Delete asks, Escape leaves.
// Enter opens: the row that has the focus is a link.
(() => {
  const panes = document.getElementById("panes");
  if (!panes) return;

  const links = () => [...panes.querySelectorAll(".t.keys a.open")];
  const row = () => document.activeElement.closest?.(".t.keys tbody tr") ?? null;
  const current = () => row() ?? panes.querySelector('.t.keys tr[aria-selected="true"]');

  const move = (step) => {
    const all = links();
    const at = all.indexOf(current()?.querySelector("a.open"));
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step;
    const link = all[Math.min(Math.max(next, 0), all.length - 1)];
    link?.focus();
    link?.closest("tr").scrollIntoView({ block: "nearest" });
    return Boolean(link);
  };

  // A click with Shift takes the range along, as the mouse does.
  const pick = (range) => {
    const box = current()?.querySelector('input[name="key"]');
    const focused = document.activeElement;
    box?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: range }));
    focused.focus?.();
    return Boolean(box);
  };

  const edit = () => {
    const link = current()?.querySelector("a.open");
    if (!link || !panes.hasAttribute("data-may-edit")) return false;
    const url = new URL(link.href);
    url.pathname += "edit/";
    location.assign(url);
    return true;
  };

  const remove = () => {
    const button = panes.querySelector("[data-bulk-delete]");
    if (!button) return false;
    const isAny = panes.querySelector('.picking input[name="key"]:checked') !== null;
    if (!isAny && !pick(false)) return false;
    button.click();
    return true;
  };

  const leave = () => {
    if (!row()) return false; // the focus is elsewhere, where a menu may just have put it
    document.activeElement.blur();
    return true;
  };

  const act = (event) => {
    const isTicked = event.target.matches?.('input[type="checkbox"]');
    if (isTicked && event.key === " ") return false;
    if (event.key === "j") return move(1);
    if (event.key === "k") return move(-1);
    if (event.key.toLowerCase() === "x") return pick(event.shiftKey);
    if (event.key === "e") return edit();
    if (event.key === "Delete" || event.key === "Backspace") return remove();
    return event.key === "Escape" && leave();
  };

  const isTyping = (node) =>
    node.isContentEditable ||
    /^(TEXTAREA|SELECT)$/.test(node.tagName) ||
    (node.tagName === "INPUT" && node.type !== "checkbox");

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target)) return;
    if (document.querySelector("dialog[open], [popover]:popover-open")) return;
    if (act(event)) event.preventDefault();
  });
})();

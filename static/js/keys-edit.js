// An opened key by keyboard where no list of keys takes the keys: e edits it, Delete asks to
// delete it, Ctrl+Enter sends a form. Without this every control is a link or a button.
(() => {
  const isTyping = (node) =>
    node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName);
  const isElsewhere = () =>
    document.querySelector("dialog[open], [popover]:popover-open") !== null;

  const press = (selector) => {
    const link = document.querySelector(`#value ${selector}`);
    link?.click();
    return Boolean(link);
  };

  document.addEventListener("keydown", (event) => {
    const form = event.target.closest?.("form[data-edit]");
    if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const button = form.querySelector("footer .btn-primary");
      if (button) form.requestSubmit(button);
      event.preventDefault();
      return;
    }
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target) || isElsewhere()) return;
    if (event.target.closest?.(".list")) return;
    const done =
      (event.key === "e" && press("[data-edit-key]")) ||
      (event.key === "Delete" && press("[data-delete-key]"));
    if (done) event.preventDefault();
  });

  // A form that came into the pane takes the focus, at its first field.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target?.id !== "value") return;
    const form = document.querySelector("#value form[data-edit]");
    const field = form?.querySelector(
      ".form-error ~ *, [aria-invalid=true], textarea:not([hidden]), input:not([type=hidden]), select",
    );
    (field ?? form?.querySelector(".btn-danger"))?.focus({ preventScroll: true });
    form?.querySelector("header")?.scrollIntoView({ block: "nearest" });
  });
})();

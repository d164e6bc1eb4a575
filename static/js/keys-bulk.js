// Many keys at once: ticking them, the menu of a folder or filter, and the dialog that asks.
// Without this the boxes, the bar and the links work, too: each answers with a page.
(() => {
  const panes = document.getElementById("panes");
  const dialog = document.getElementById("bulk-dialog");
  const sheet = document.getElementById("bulk-sheet");
  const menu = document.getElementById("bulk-menu");
  if (!panes || !dialog) return;
  let last = null;
  let opener = null;

  const boxes = () => [...panes.querySelectorAll('.picking input[name="key"]')];

  const count = () => {
    const form = panes.querySelector(".picking");
    if (!form) return;
    const all = boxes();
    const picked = all.filter((box) => box.checked).length;
    form.querySelector("[data-picked]").textContent =
      `${picked} key${picked === 1 ? "" : "s"} selected`;
    const page = form.querySelector("[data-pick-page]");
    page.checked = picked > 0 && picked === all.length;
    page.indeterminate = picked > 0 && picked < all.length;
    for (const box of all) box.closest("tr").classList.toggle("picked", box.checked);
  };

  const pickTo = (box) => {
    const all = boxes();
    const from = all.indexOf(last);
    const to = all.indexOf(box);
    if (from < 0) return;
    for (const one of all.slice(Math.min(from, to), Math.max(from, to) + 1))
      one.checked = box.checked;
  };

  const pickAll = (is) => { for (const box of boxes()) box.checked = is; count(); };

  panes.addEventListener("click", (event) => {
    const box = event.target.closest('.picking input[name="key"]');
    if (box) {
      if (event.shiftKey) pickTo(box);
      last = box;
      count();
    }
    if (event.target.closest("[data-pick-none]")) pickAll(false);
    const link = event.target.closest("[data-bulk-menu]");
    if (link && !event.ctrlKey && !event.metaKey) { event.preventDefault(); showMenu(link); }
  });
  panes.addEventListener("change", (event) => {
    if (event.target.matches("[data-pick-page]")) pickAll(event.target.checked);
  });
  document.addEventListener("htmx:afterSettle", count);
  count();

  // The menu of a folder or of the filter: the same links that its page has.
  const showMenu = (link) => {
    const scope = new URL(link.href).searchParams;
    const prefix = scope.get("prefix");
    menu.querySelector("[data-bulk-what]").textContent =
      prefix ? `${prefix}*` : scope.get("match") || "Every key";
    for (const action of menu.querySelectorAll("[data-do]")) {
      const url = new URL(link.href);
      url.searchParams.set("do", action.dataset.do);
      action.href = url.href;
    }
    opener = link;
    menu.showPopover();
    const place = link.getBoundingClientRect();
    const left = Math.min(place.left, innerWidth - menu.offsetWidth - 8);
    const below = place.bottom + 4;
    const top = below + menu.offsetHeight > innerHeight ? place.top - menu.offsetHeight - 4 : below;
    menu.style.left = `${Math.max(left, 8)}px`;
    menu.style.top = `${Math.max(top, 8)}px`;
    menu.querySelector("a").focus();
  };

  menu.addEventListener("click", (event) => {
    const action = event.target.closest("[data-do]");
    if (!action || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    menu.hidePopover();
    htmx.ajax("GET", action.href, { target: "#bulk-sheet", swap: "innerHTML" });
  });
  menu.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const links = [...menu.querySelectorAll("a")];
    const next = links.indexOf(document.activeElement) + step;
    links[(next + links.length) % links.length].focus();
    event.preventDefault();
  });

  // The dialog opens when its sheet has something to say, and asks no more once it is closed.
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== sheet) return;
    if (!dialog.open) {
      opener = opener ?? document.activeElement;
      dialog.showModal();
    }
    const wrong = sheet.querySelector('[aria-invalid="true"]');
    if (wrong) wrong.focus();
    else if (!sheet.contains(document.activeElement)) sheet.focus();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    // An error that takes the page's place must not stay behind the dialog.
    if (dialog.open && event.detail.target.id === "main") dialog.close();
  });
  dialog.addEventListener("close", () => {
    sheet.replaceChildren();
    if (opener?.isConnected) opener.focus();
    opener = null;
  });
})();

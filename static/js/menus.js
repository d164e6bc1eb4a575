// Menus are <details>, so they open without this; here they close when one leaves them.
(() => {
  const open = () => document.querySelectorAll("details[data-pop][open]");

  document.addEventListener("click", (event) => {
    for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  });

  document.addEventListener("focusin", (event) => {
    for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      menu.querySelector("summary").focus();
      event.preventDefault();
    }
    if (side?.classList.contains("is-open")) close();
  });

  // Filters that are not in use leave a phone's first screen to the rows.
  if (matchMedia("(max-width: 720px)").matches)
    for (const fold of document.querySelectorAll("details[data-fold]")) fold.open = false;

  // The side on a phone: a link to #side without this, a drawer that keeps the focus with it.
  const side = document.getElementById("side");
  const page = document.querySelector(".page");
  const opener = document.querySelector("[data-menu]");
  if (!side || !opener) return;
  opener.setAttribute("role", "button");
  opener.setAttribute("aria-expanded", "false");

  const show = (is) => {
    side.classList.toggle("is-open", is);
    page.inert = is;
    opener.setAttribute("aria-expanded", String(is));
  };
  const close = () => { show(false); opener.focus(); };

  opener.addEventListener("click", (event) => {
    event.preventDefault();
    show(true);
    side.querySelector("[data-menu-close]").focus();
  });
  side.querySelector("[data-menu-close]").addEventListener("click", (event) => {
    event.preventDefault();
    close();
  });
  matchMedia("(min-width: 721px)").addEventListener("change", () => show(false));
})();

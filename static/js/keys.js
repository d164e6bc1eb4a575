// The key browser: a select filters at once, an opened row is marked, a phone shows one pane.
(() => {
  const panes = document.getElementById("panes");
  if (!panes) return;

  document.addEventListener("change", (event) => {
    if (event.target.matches("select") && event.target.form?.matches("[data-now]"))
      event.target.form.requestSubmit();
  });

  const mark = (row) => {
    for (const other of panes.querySelectorAll(".t.keys tr[aria-selected]"))
      if (other !== row) other.removeAttribute("aria-selected");
    row?.setAttribute("aria-selected", "true");
  };

  // The console is told once which key somebody looks at, for the list of recent keys.
  let told = null;
  const remember = () => {
    const path = document.querySelector("#value [data-opened]")?.dataset.opened;
    if (!path || path === told) return;
    told = path;
    const token = document.querySelector('meta[name="csrf-token"]').content;
    // Nothing on the page depends on it: a list of convenience may miss a key.
    fetch(path, { method: "POST", headers: { "X-CSRFToken": token }, keepalive: true })
      .catch(() => { told = null; });
  };
  remember();

  // A key that was opened marks its row; choosing other keys closes it.
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.successful) return;
    const link = event.detail.elt.closest?.(".t.keys a.open");
    if (link) mark(link.closest("tr"));
  });

  document.addEventListener("htmx:afterSettle", () => {
    const has = document.querySelector("#value .h-name") !== null;
    const opened = has && !panes.classList.contains("has-key");
    panes.classList.toggle("has-key", has);
    remember();
    if (opened && matchMedia("(max-width: 720px)").matches) window.scrollTo(0, 0);
  });
})();

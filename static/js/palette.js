// Ctrl-K: the server finds, this moves the choice. The field keeps the focus all the time.
(() => {
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const field = dialog.querySelector("input[name=q]");
  const hits = document.getElementById("palette-hits");
  const options = () => [...hits.querySelectorAll("a[role=option]")];
  // What the hits on show were asked for, and how to open once the newest have come.
  let asked = null, shown = null, waiting = null;
  const chosen = () => hits.querySelector('[aria-selected="true"]');

  const choose = (option) => {
    chosen()?.setAttribute("aria-selected", "false");
    if (!option) { field.removeAttribute("aria-activedescendant"); return; }
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", option.id);
  };

  const move = (step) => {
    const all = options();
    if (!all.length) return;
    choose(all[(all.indexOf(chosen()) + step + all.length) % all.length]);
  };

  const follow = (inNewTab) => {
    const url = chosen()?.href;
    if (url && inNewTab) window.open(url, "_blank", "noopener");
    else if (url) window.location.assign(url);
  };

  const open = () => {
    if (dialog.open) return;
    for (const other of document.querySelectorAll("dialog[open]")) other.close();
    dialog.showModal();
    field.focus();
    field.select();
    htmx.trigger(field, "palette:open");
  };

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-palette]");
    if (!opener || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    open();
  });

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });

  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Enter") {
      // Who types fast and presses Enter means what was typed, not what was found before.
      const inNewTab = event.ctrlKey || event.metaKey;
      if (shown === field.value) follow(inNewTab);
      else waiting = { inNewTab };
    } else if (event.key === "?" && !field.value) {
      dialog.close();
      document.getElementById("keyboard").showModal();
    } else return;
    event.preventDefault();
  });

  hits.addEventListener("mousemove", (event) => {
    const option = event.target.closest("a[role=option]");
    if (option && option !== chosen()) choose(option);
  });
  field.addEventListener("input", () => { waiting = null; });
  field.addEventListener("htmx:beforeRequest", () => { asked = field.value; });
  hits.addEventListener("htmx:afterSwap", () => {
    shown = asked;
    choose(options()[0]);
    if (!waiting || shown !== field.value) return;
    follow(waiting.inNewTab);
    waiting = null;
  });
})();

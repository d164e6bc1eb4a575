// One letter does what a click would: g and a letter, / to filter, p to pause, ? for the list.
(() => {
  let waiting = 0;
  const isTyping = (node) =>
    node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName);
  const dialogIsOpen = () => document.querySelector("dialog[open]") !== null;

  const go = (letter) => {
    const link = document.querySelector(`.side [data-go="${CSS.escape(letter)}"]`);
    if (link) link.click();
    return Boolean(link);
  };

  const filter = () => {
    const field = document.querySelector("#main [data-filter]");
    if (field) { field.focus(); field.select(); }
    return Boolean(field);
  };

  const pause = () => {
    const button = document.querySelector("#main [data-pause], .top [data-pause]");
    if (button) button.click();
    return Boolean(button);
  };

  const help = () => {
    document.getElementById("keyboard").showModal();
    return true;
  };

  const act = (key) => {
    if (waiting && Date.now() - waiting < 1500) { waiting = 0; return go(key); }
    if (key === "g") { waiting = Date.now(); return true; }
    if (key === "/") return filter();
    if (key === "p") return pause();
    if (key === "?") return help();
    return false;
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialogIsOpen()) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (act(event.key)) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const dialog = event.target.closest("dialog");
    if (dialog && (event.target === dialog || event.target.closest("[data-close]"))) dialog.close();
  });
})();

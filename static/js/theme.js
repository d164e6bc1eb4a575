// Light or dark at once; the server remembers it in a cookie and sends the next page that way.
(() => {
  const root = document.documentElement;

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-theme-form]");
    if (!form || !event.submitter) return;
    event.preventDefault();
    const choice = event.submitter.value;
    if (choice) root.dataset.bsTheme = choice;
    else delete root.dataset.bsTheme;
    for (const button of form.querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(button === event.submitter));
    const body = new FormData(form);
    body.set("theme", choice);
    fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" } });
    document.dispatchEvent(new CustomEvent("redisops:theme"));
  });
})();

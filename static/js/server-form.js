/* The server form shows what the chosen kind needs, and says when a check is under way. */
(() => {
  "use strict";

  function arrange(form) {
    const kind = form.elements.kind?.value;
    const tls = form.elements.tls;
    for (const part of form.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== kind;
    for (const part of form.querySelectorAll("[data-when=tls]")) part.hidden = !tls?.checked || kind === "unix";
  }

  function begin(form) {
    arrange(form);
    form.addEventListener("change", () => arrange(form));
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    const button = event.target.closest?.("[data-busy]");
    if (!button) return;
    button.disabled = true;
    const result = document.querySelector("#check-result");
    if (result) result.setAttribute("aria-busy", "true");
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const button = event.target.closest?.("[data-busy]");
    if (!button) return;
    button.disabled = false;
    document.querySelector("#check-result")?.removeAttribute("aria-busy");
  });
  for (const form of document.querySelectorAll("form#server")) begin(form);
})();

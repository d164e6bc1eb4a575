// The form of a rate limit shows what the chosen way of counting needs.
(() => {
  "use strict";

  function arrange(form) {
    const way = form.querySelector("input[name=algorithm]:checked")?.value ?? "";
    for (const part of form.querySelectorAll("[data-ways]")) {
      part.hidden = !part.dataset.ways.split(" ").includes(way);
    }
    const period = form.querySelector("label[for=id_period]");
    if (period) period.textContent = way === "concurrency" ? "Given back after, at most" : "Per";
  }

  for (const form of document.querySelectorAll("form[data-policy]")) {
    arrange(form);
    form.addEventListener("change", () => arrange(form));
  }
})();

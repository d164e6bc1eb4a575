/* Try a policy: draws the plots of a run, anew after each change of the form, and shows only those
   fields that the traffic and the way of counting need. Without this file the button runs it. */
(() => {
  "use strict";
  const form = document.getElementById("try-form");
  if (!form) return;
  const BUCKETS = new Set(["token_bucket", "leaky_bucket", "gcra"]);
  let data = null;

  function plot() {
    const place = document.querySelector("[data-points]");
    data = place ? JSON.parse(place.dataset.points) : null;
    if (data) RedisopsPlots.draw(data);
  }

  function fields() {
    const shape = new FormData(form).get("shape");
    const algorithm = form.elements.algorithm.value;
    const isNeeded = {
      made: shape !== "replay",
      bursts: shape === "bursts",
      peak: shape === "bursts" || shape === "ramp",
      bucket: BUCKETS.has(algorithm),
      concurrency: algorithm === "concurrency",
    };
    for (const place of form.querySelectorAll("[data-for]")) place.hidden = !isNeeded[place.dataset.for];
  }

  RedisopsPlots.keep(() => data && RedisopsPlots.draw(data));
  form.addEventListener("change", fields);
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "try-result") plot();
  });
  window.addEventListener("popstate", () => location.reload());
  fields();
  plot();
})();

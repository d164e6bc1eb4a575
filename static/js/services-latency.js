/* Draws the latency of checks; without it the page has the same as lines and words. */
(() => {
  "use strict";
  const roots = [...document.querySelectorAll("[data-latency]")];
  if (!roots.length || !window.RedisopsPlots) return;
  const draw = () => roots.forEach((root, at) => window.RedisopsPlots.draw(JSON.parse(root.dataset.points), root, at === 0));
  draw();
  window.RedisopsPlots.keep(draw);
})();

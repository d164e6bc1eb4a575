/* Draws a plot whose points came with the page. Without this file the page has it in words. */
(() => {
  "use strict";
  const place = document.querySelector("[data-points]");
  if (!place) return;
  const data = JSON.parse(place.dataset.points);
  RedisopsPlots.keep(() => RedisopsPlots.draw(data));
  RedisopsPlots.draw(data);
})();

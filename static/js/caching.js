/* A cache's pages: figures come by htmx, the plots are drawn from the same answer. Without it the
   pages are as of when they were opened. */
(() => {
  "use strict";
  const mark = document.querySelector("[data-live-pace]");
  const say = (words) => { if (mark && mark.textContent !== words) mark.textContent = words; };
  document.addEventListener("htmx:afterSwap", () => say(mark?.dataset.livePace));
  for (const trouble of ["htmx:sendError", "htmx:responseError", "htmx:timeout"])
    document.addEventListener(trouble, () => say("Not live: the console does not answer"));

  const root = document.querySelector("[data-caching]");
  if (!root) return;
  let shown = "";

  const data = () => root.querySelector("[data-points]")?.dataset.points || "";

  function draw() {
    if (!window.RedisopsPlots || !data()) return;
    shown = data();
    window.RedisopsPlots.draw(JSON.parse(shown));
  }

  function moved() {
    const found = root.querySelector("[data-verdict]");
    const verdict = document.getElementById("cache-verdict");
    if (found && verdict && verdict.textContent !== found.dataset.verdict) verdict.textContent = found.dataset.verdict;
    if (!window.RedisopsPlots || !data() || data() === shown) return;
    const [before, now] = [JSON.parse(shown), JSON.parse(data())];
    // Lines of what people did belong to the drawing; everything else moves in it.
    if (JSON.stringify(before.marks) !== JSON.stringify(now.marks)) draw();
    else window.RedisopsPlots.update(now);
    shown = data();
  }

  draw();
  window.RedisopsPlots?.keep(draw);
  root.addEventListener("htmx:afterSwap", moved);
})();

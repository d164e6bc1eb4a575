/* One job: keeps the parts of its page as they are now, by a socket or, without one, by asking;
   draws its plot. Without this file the page is whole, as of when it was opened. */
(() => {
  "use strict";
  const root = document.querySelector("[data-job]");
  if (!root) return;
  const ASK = 3000;
  let data = null;
  let isLive = false;

  function read() {
    const place = document.querySelector("[data-points]");
    const found = place ? JSON.parse(place.dataset.points) : null;
    return found?.times.length > 1 ? found : null;
  }

  function plot() {
    const next = read();
    if (!next) return;
    const isOther = !data || data.step !== next.step || data.seconds !== next.seconds;
    data = next;
    if (isOther) RedisopsPlots.draw(data);
    else RedisopsPlots.update(data);
  }

  function put(parts) {
    // The buttons and titles are those of another state: the page opens anew.
    if (parts.state !== undefined && parts.state !== root.dataset.job) {
      location.reload();
      return;
    }
    for (const [name, html] of Object.entries(parts)) {
      const place = document.getElementById(`part-${name}`);
      if (place) window.Idiomorph.morph(place, html, { morphStyle: "innerHTML" });
    }
    plot();
  }

  async function ask() {
    if (isLive || document.hidden) return;
    try {
      const answer = await fetch(root.dataset.parts, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (answer.ok) put((await answer.json()).parts);
    } catch {
      // The console does not answer: the mark in the top bar says so already.
    }
  }

  RedisopsPlots.keep(() => data && RedisopsPlots.draw(data));

  document.addEventListener("DOMContentLoaded", () => {
    plot();
    if (!root.dataset.socket) return;
    RedisopsLive.follow(root.dataset.socket, {
      onParts: put,
      onState(state) { isLive = state === "running"; },
    });
    window.setInterval(ask, ASK);
  });
})();

/* Live use of a policy: keeps fifteen minutes of seconds, follows the socket, draws means of a few
   seconds. Without this file the page is whole, as of when it was opened. */
(() => {
  "use strict";
  const root = document.querySelector("[data-use]");
  if (!root) return;
  const FIELDS = ["allowed", "denied", "shadow"];
  let known = new Map(); // second: its row
  let until = 0;
  let step = 3;
  let seconds = 900;
  let live = null;
  let isPaused = false;
  let waiting = {};
  let shape = null;

  function take(data) {
    ({ step, seconds, until } = data);
    known = new Map(data.rows.map((row) => [row[0], row]));
  }

  // Seconds that are not known stay a gap; those before the first one are forgotten.
  function columns() {
    const last = Math.floor(until / step) * step;
    const times = [];
    for (let at = last - seconds + step; at <= last; at += step) times.push(at);
    const found = Object.fromEntries(FIELDS.map((field, place) => [field, times.map((at) => mean(at, place + 1))]));
    for (const at of known.keys()) if (at <= until - seconds - step) known.delete(at);
    return { step, seconds, times, columns: found, marks: [] };
  }

  function mean(from, place) {
    let sum = 0;
    let count = 0;
    for (let at = from; at < from + step; at += 1) {
      const row = known.get(at);
      if (row && at <= until) { sum += row[place]; count += 1; }
    }
    return count ? sum / count : null;
  }

  function draw() {
    shape = columns();
    RedisopsPlots.draw(shape);
    RedisopsCaptions.tell(shape, true);
  }

  function update() {
    shape = columns();
    RedisopsPlots.update(shape);
    RedisopsCaptions.tell(shape);
  }

  function put(parts) {
    // A second may still have grown after it came: the newest ones come once more with each look.
    for (const row of parts.recent || []) if (known.has(row[0])) known.set(row[0], row);
    for (const [name, html] of Object.entries(parts)) {
      const place = name === "recent" ? null : document.getElementById(`part-${name}`);
      if (place) window.Idiomorph.morph(place, html, { morphStyle: "innerHTML" });
    }
  }

  function rows(found) {
    for (const [, row] of found) {
      known.set(row[0], row);
      until = Math.max(until, row[0]);
    }
    if (!isPaused) update();
  }

  async function refresh() {
    try {
      const answer = await fetch(root.dataset.series, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (!answer.ok) throw new Error(`the series answered ${answer.status}`);
      take(await answer.json());
      live?.seen(String(until));
      document.getElementById("gap-note").hidden = true;
      if (!isPaused) draw();
    } catch {
      window.setTimeout(refresh, 3000);
    }
  }

  function gap(message) {
    const note = document.getElementById("gap-note");
    note.hidden = false;
    note.textContent = `${message.missed ?? "Some"} seconds are missing here. They are fetched again.`;
    refresh();
  }

  function source(message) {
    const note = document.getElementById("source-note");
    note.hidden = message.ok;
    note.textContent = message.ok ? "" : `${root.dataset.server} does not answer: ${message.sentence} The page goes on by itself, and fetches what was counted meanwhile.`;
  }

  const button = document.querySelector("[data-pause]");
  function toggle() {
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(isPaused));
    button.querySelector("[data-pause-on]").hidden = isPaused;
    button.querySelector("[data-pause-off]").hidden = !isPaused;
    if (isPaused) return live.pause();
    live.resume();
    put(waiting);
    waiting = {};
    update();
  }

  RedisopsPlots.keep(() => shape && RedisopsPlots.draw(shape));

  document.addEventListener("DOMContentLoaded", () => {
    take(JSON.parse(root.dataset.points));
    draw();
    live = RedisopsLive.follow(root.dataset.socket, {
      lastId: String(until),
      onRows: rows,
      onParts(parts) {
        if (isPaused) Object.assign(waiting, parts);
        else put(parts);
      },
      onGap: gap,
      onSource: source,
    });
    button.addEventListener("click", toggle);
  });
})();

/* One server's overview: fetches what to plot, follows the sampler, and keeps the page's parts as
   they are now. Without this file the page is whole, as of when it was opened. */
(() => {
  "use strict";
  const root = document.querySelector("[data-overview]");
  if (!root) return;
  const STALE = 12000;
  let data = null;
  let live = null;
  let isPaused = false;
  let waiting = {}; // parts that came while the page was paused
  let stale = 0;

  const sampleId = (at) => `${at}000-0`;

  async function load() {
    const answer = await fetch(root.dataset.series, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (!answer.ok) throw new Error(`the series answered ${answer.status}`);
    return answer.json();
  }

  async function refresh() {
    try {
      data = await load();
    } catch {
      window.setTimeout(refresh, 3000);
      return;
    }
    data.folded = new Map(); // how many looks the newest point was made of, by field
    RedisopsPlots.draw(data);
    RedisopsCaptions.tell(data, true);
    if (data.newest) live?.seen(sampleId(data.newest));
  }

  // --- Points ---------------------------------------------------------------------------

  function figures(row) {
    const [at, good, , , ...values] = row[1];
    const found = Object.fromEntries(data.fields.map((name, index) => [name, good ? values[index] ?? null : null]));
    const looked = (found.hits ?? 0) + (found.misses ?? 0);
    found.hit_rate = found.hits != null && looked ? (found.hits / looked) * 100 : null;
    found.cpu_percent = found.cpu == null ? null : found.cpu * 100;
    found.limit = found.limit || null;
    return [at, found];
  }

  function add(row) {
    const [at, found] = figures(row);
    const step = Math.floor(at / data.step) * data.step;
    const { times, columns } = data;
    while (times.at(-1) < step) {
      times.push(times.at(-1) + data.step);
      times.shift();
      for (const column of Object.values(columns)) { column.push(null); column.shift(); }
      data.folded.clear();
    }
    const place = times.indexOf(step);
    if (place < 0) return;
    for (const [name, column] of Object.entries(columns)) {
      if (found[name] == null) continue;
      column[place] = place === times.length - 1 ? fold(name, column[place], found[name]) : column[place] ?? found[name];
    }
  }

  function fold(name, before, value) {
    const how = data.folds[name] || "mean";
    if (how === "last" || data.step <= 2) return value;
    if (how === "max") return before == null ? value : Math.max(before, value);
    // What the server folded before this page opened counts as many looks as it had time for.
    const looks = data.folded.get(name) ?? (before == null ? 0 : 1);
    data.folded.set(name, looks + 1);
    return before == null ? value : (before * looks + value) / (looks + 1);
  }

  // --- Parts ----------------------------------------------------------------------------

  function put(parts) {
    for (const [name, html] of Object.entries(parts)) {
      const place = document.getElementById(`part-${name}`);
      if (!place) continue;
      if (window.Idiomorph) window.Idiomorph.morph(place, html, { morphStyle: "innerHTML" });
      else place.innerHTML = html;
    }
    agree();
  }

  // The server switch is outside the live parts; its shape is the verdict's, named unseen.
  function agree() {
    const told = document.querySelector("#part-verdict .st");
    const shown = document.querySelectorAll(".switch [data-state-now] .st, .switch-pop [aria-current] .st");
    for (const place of told ? shown : []) {
      const word = document.createElement("span");
      word.className = "visually-hidden";
      word.textContent = told.textContent;
      place.className = told.className;
      place.replaceChildren(told.querySelector("svg").cloneNode(true), word);
    }
  }

  function fresh() {
    window.clearTimeout(stale);
    stale = window.setTimeout(() => {
      const since = Date.now() - STALE;
      if (!isPaused) RedisopsLive.show("lost", since, `No sample since ${new Date(since).toISOString().slice(11, 19)}`);
    }, STALE);
  }

  const note = document.getElementById("source-note");
  function source(message) {
    note.hidden = message.ok;
    note.textContent = message.ok ? "" : `The console's own Redis does not answer: ${message.sentence} The page goes on by itself.`;
  }

  // --- Following ------------------------------------------------------------------------

  const button = document.querySelector("[data-pause]");
  function toggle() {
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(isPaused));
    button.querySelector("[data-pause-on]").hidden = isPaused;
    button.querySelector("[data-pause-off]").hidden = !isPaused;
    if (isPaused) live.pause();
    else { live.resume(); put(waiting); waiting = {}; }
  }

  function start() {
    live = RedisopsLive.follow(root.dataset.socket, {
      lastId: data?.newest ? sampleId(data.newest) : "",
      onRows(rows) {
        fresh();
        settle(rows);
        if (!data || isPaused) return;
        rows.forEach(add);
        RedisopsPlots.update(data);
        RedisopsCaptions.tell(data);
      },
      onParts(parts) {
        if (isPaused) Object.assign(waiting, parts);
        else put(parts);
      },
      // What is missing is not filled with lines: the span is fetched anew.
      onGap: () => refresh(),
      onSource: source,
      onState(state) {
        if (state === "running" && downSince) RedisopsLive.show("lost", downSince);
      },
    });
    button?.addEventListener("click", toggle);
    fresh();
  }

  // The flow may be well while the server is not: then the mark says since when. What to try is
  // on the page of a server that does not answer, and only there, so the page opens anew.
  let downSince = Number(root.dataset.since || 0) * 1000;
  function settle(rows) {
    const isTold = document.querySelector("[data-tries]") !== null;
    for (const [, [at, good, failed]] of rows) {
      if (failed && !good) downSince = downSince || at * 1000;
      else downSince = 0;
    }
    if (isPaused) return;
    if (downSince === 0) RedisopsLive.show("running", 0);
    else RedisopsLive.show("lost", downSince);
    const isLong = downSince && Date.now() - downSince > 6000;
    if (isTold ? downSince === 0 : isLong) location.reload();
  }

  RedisopsPlots.keep(() => data && RedisopsPlots.draw(data));

  document.addEventListener("DOMContentLoaded", () => {
    agree();
    refresh().then(start);
  });
})();

/* Messages as they come: a bounded list with the newest on top, a filter and mutes of one's own, and
   exact counts of what is not shown. Pub/sub keeps nothing: when nobody listened is a row of its own.

   A row: [id, [ms, channel, library, pattern, text, how written, bytes, left out beside it]]. */
(() => {
  "use strict";
  const root = document.querySelector("[data-pubsub]");
  if (!root) return;
  const MOST = 400;
  const FLUSH = 125;
  const HUES = 8;
  const feed = document.querySelector("[data-feed]");
  const find = (name) => document.querySelector(`[data-feed-${name}]`);
  const clock = (ms, digits = 12) => new Date(ms).toISOString().slice(11, 11 + digits);
  const exact = (number) => number.toLocaleString("en-US");
  const totals = { heard: 0, shown: 0, left: 0, hidden: 0, missed: 0 };
  const muted = new Map();
  let live = null;
  let isPaused = false;
  let waiting = []; // rows and gaps that are not on the page yet, oldest first
  let second = { heard: 0, shown: 0, at: performance.now() };
  let kept = []; // what the page shows, newest first: { row, node }
  let words = [];
  let lostAt = 0;
  let hasRows = false;
  let isListening = false; // the console tells what there is once its subscription is confirmed

  function hue(name) {
    let sum = 0;
    for (let at = 0; at < name.length; at += 1) sum = (sum * 31 + name.charCodeAt(at)) >>> 0;
    return sum % HUES;
  }

  const mutes = () => new Set([...document.querySelectorAll("[data-feed-mute]:checked")].map((box) => box.value));

  function passes(data) {
    const text = `${data[1]} ${data[4]}`.toLowerCase();
    return words.every((word) => (word.startsWith("-") && word.length > 1 ? !text.includes(word.slice(1)) : text.includes(word)));
  }

  function element(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function drawn([, data]) {
    const [ms, channel, , pattern, text, how, bytes] = data;
    const row = element("tr");
    const name = element("td", "id chan");
    const mark = element("i", `hue h${hue(channel)}`);
    mark.setAttribute("aria-hidden", "true");
    name.append(mark, channel || "(empty)");
    if (pattern && pattern !== "*") name.title = `by ${pattern}`;
    const body = element("td");
    const line = text.replace(/\s+/g, " ");
    if (line.length > 160 || (how !== "JSON" && text.includes("\n"))) {
      const more = element("details");
      more.append(element("summary", "", line.slice(0, 300)), element("pre", "val", text));
      body.append(more);
    } else body.append(line || element("span", "dim", "(empty)"));
    body.title = `${how || "Text"}, ${exact(bytes)} bytes`;
    if ((how && how !== "JSON") || bytes > 4000) body.append(element("small", "dim", ` ${[how, `${exact(bytes)} bytes`].filter(Boolean).join(", ")}`));
    row.append(element("td", "", clock(ms)), name, body);
    return row;
  }

  function gapRow(text) {
    const row = element("tr", "gap");
    const cell = element("td");
    cell.colSpan = 3;
    cell.append(element("span", "", text));
    row.append(cell);
    return row;
  }

  const span = (since, until) => `from ${clock(since * 1000, 8)} to ${clock(until * 1000, 8)} UTC`;

  function said(gap) {
    if (gap.why === "unheard") return `Not listening ${span(gap.since, gap.until)}. What was published then is not known here: pub/sub keeps nothing.${gap.reason ? ` ${gap.reason}` : ""}`;
    if (gap.missed) return `${exact(gap.missed)} messages are not shown: ${gap.why === "slow" ? "this page fell behind" : "they came while it was paused or away"}. They are not kept.`;
    return "Some messages may be missing here: what was heard before is not known any more.";
  }

  function take(found) {
    const silent = mutes();
    for (const row of found) {
      const data = row[1];
      const left = data[7];
      totals.heard += 1 + left;
      totals.left += left;
      second.heard += 1 + left;
      if (silent.has(data[2])) muted.set(data[2], (muted.get(data[2]) || 0) + 1);
      if (silent.has(data[2]) || !passes(data)) totals.hidden += 1;
      else {
        totals.shown += 1;
        second.shown += 1;
        waiting.push({ row });
      }
    }
    while (waiting.length > MOST) waiting.shift();
    hasRows = true;
  }

  function gap(message) {
    if (message.missed) totals.missed += message.missed;
    if (message.why !== "unheard" || !joined(message)) waiting.push({ gap: said(message), told: message });
  }

  // The page and the console may both have been away: one silence is one row, as long as both.
  function joined(message) {
    const before = waiting.length ? waiting.at(-1) : kept[0];
    if (!before?.told || before.told.why !== "unheard" || message.since > before.told.until + 1) return false;
    const told = { ...before.told, since: Math.min(before.told.since, message.since), until: Math.max(before.told.until, message.until), reason: message.reason || before.told.reason };
    Object.assign(before, { told, gap: said(told) });
    if (before.node) before.node.querySelector("span").textContent = before.gap;
    return true;
  }

  const rows = find("rows");
  const newer = find("newer");
  const isHeld = () => window.matchMedia("(hover: hover)").matches && rows.matches(":hover") && kept.length > 0;

  function flush(isForced) {
    if (!feed || isPaused) return;
    tellCounts();
    if (!waiting.length) return;
    if (!isForced && isHeld()) {
      newer.hidden = false;
      newer.textContent = `${exact(waiting.length)} newer, show them`;
      return;
    }
    newer.hidden = true;
    const fresh = waiting.map((one) => ({ ...one, node: one.row ? drawn(one.row) : gapRow(one.gap) })).reverse();
    waiting = [];
    rows.prepend(...fresh.map((one) => one.node));
    kept = [...fresh, ...kept];
    for (const old of kept.splice(MOST)) old.node.remove();
    find("empty").hidden = true;
  }

  function tellCounts() {
    const past = (performance.now() - second.at) / 1000;
    if (past < 1) return;
    const heard = Math.round(second.heard / past);
    const shown = Math.round(second.shown / past);
    find("rate").textContent = totals.heard ? `Showing ${exact(shown)} of ${exact(heard)} messages/s` : isListening ? "Listening, nothing heard yet" : "Subscribing";
    second = { heard: 0, shown: 0, at: performance.now() };
    const parts = [`${exact(totals.heard)} heard`, `${exact(totals.shown)} shown`];
    if (totals.left) parts.push(`${exact(totals.left)} left out so it can be read`);
    if (totals.hidden) parts.push(`${exact(totals.hidden)} muted or filtered`);
    if (totals.missed) parts.push(`${exact(totals.missed)} missed`);
    find("total").textContent = parts.join(", ");
    for (const place of document.querySelectorAll("[data-feed-muted]")) {
      const count = muted.get(place.dataset.feedMuted);
      place.textContent = count ? exact(count) : "";
    }
  }

  // What is on the page follows the filter at once; what it hides stays counted as shown.
  function sift() {
    const silent = mutes();
    for (const one of kept) one.node.hidden = Boolean(one.row) && (silent.has(one.row[1][2]) || !passes(one.row[1]));
  }

  function remember() {
    const address = new URL(location.href);
    const chosen = [...mutes()].join(",");
    const text = find("filter").value;
    for (const [name, value] of [["mute", chosen], ["filter", text]]) {
      if (value) address.searchParams.set(name, value);
      else address.searchParams.delete(name);
    }
    history.replaceState(history.state, "", address);
  }

  function parts(found) {
    isListening = true;
    const place = document.getElementById("part-channels");
    if ("channels" in found && !place.matches(":hover") && !place.contains(document.activeElement)) {
      window.Idiomorph.morph(place, found.channels, { morphStyle: "innerHTML" });
    }
    if ("verdict" in found) document.querySelector("[data-feed-verdict]").textContent = found.verdict;
  }

  function source(message) {
    const note = document.getElementById("source-note");
    note.hidden = message.ok;
    note.textContent = message.ok ? "" : `${root.dataset.server} cannot be heard: ${message.sentence} The page goes on by itself and says what it did not hear.`;
  }

  // A page that has heard nothing has no place to go on from, so it says by its own clock when it
  // did not listen; any other is told by the console.
  function stands(state) {
    if (!feed) return;
    if (state === "lost" && !lostAt) lostAt = Date.now();
    if (state === "running" && lostAt) {
      if (!hasRows) gap({ why: "unheard", since: lostAt / 1000, until: Date.now() / 1000 });
      lostAt = 0;
    }
  }

  function toggle(event) {
    const button = event.currentTarget;
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(isPaused));
    button.querySelector("[data-pause-on]").hidden = isPaused;
    button.querySelector("[data-pause-off]").hidden = !isPaused;
    if (isPaused) live.pause();
    else live.resume();
  }

  function asJson() {
    return kept.filter((one) => one.row && !one.node.hidden).map(({ row: [, data] }) => JSON.stringify({
      at: new Date(data[0]).toISOString(), channel: data[1], message: data[4], ...(data[5] ? { decoded: data[5] } : {}), bytes: data[6],
    })).join("\n");
  }

  function begin() {
    const address = new URL(location.href).searchParams;
    const chosen = (address.get("mute") || "").split(",");
    for (const box of document.querySelectorAll("[data-feed-mute]")) {
      box.checked = chosen.includes(box.value);
      box.addEventListener("change", () => { sift(); remember(); });
    }
    const filter = find("filter");
    filter.value = address.get("filter") || "";
    const read = () => { words = filter.value.toLowerCase().split(/\s+/).filter(Boolean); sift(); };
    filter.addEventListener("input", () => { read(); remember(); });
    read();
    newer.addEventListener("click", () => flush(true));
    find("clear").addEventListener("click", () => {
      for (const one of kept) one.node.remove();
      kept = [];
      find("empty").hidden = false;
    });
    find("copy").addEventListener("click", async (event) => {
      const button = event.currentTarget;
      await navigator.clipboard.writeText(asJson());
      const note = element("span", "said", "Copied");
      note.setAttribute("role", "status");
      button.append(note);
      window.setTimeout(() => note.remove(), 2000);
    });
    document.querySelector("[data-pause]").addEventListener("click", toggle);
    window.setInterval(flush, FLUSH);
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (feed) begin();
    live = RedisopsLive.follow(feed ? feed.dataset.socket : root.dataset.socket, {
      onRows: take, onGap: gap, onParts: parts, onSource: source, onState: stands,
    });
  });
})();

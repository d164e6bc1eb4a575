/* A leaderboard that moves: the socket gives the rows that changed, scores change in place at once,
   and the order settles at most twice a second, never under the pointer. Without this file the page
   is whole, as of when it was opened. */
(() => {
  "use strict";
  const root = document.querySelector("[data-board]");
  if (!root) return;
  const SETTLE = 500;
  const TINTED = 1500;
  const MINUTE = 60000;
  const SNAP = 5000;
  const MOVES = 5;
  const body = root.querySelector("tbody");
  const held = root.querySelector("[data-held]");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const opened = Date.now();
  const hasKeys = "titled" in root.dataset;
  const told = JSON.parse(root.dataset.points);
  const places = new Map(told.rows.map((row, at) => [`r${at}`, row]));
  const base = new Map(told.base.map(([id, rank, raw]) => [id, { rank, raw }]));
  const changes = new Map(); // member: when its score was last seen to change
  const pasts = Object.fromEntries(Object.entries(told.pasts || {}).map(([name, { at, rows, whole }]) =>
    [name, { at, whole, rows: new Map(rows.map(([id, rank, raw]) => [id, { rank, raw }])) }]));
  let snaps = [{ at: opened, rows: base }];
  let moves = [];
  let ranks = new Map(told.rows.map((row) => [row[0], row]));
  let against = "opened";
  let settled = 0;
  let timer = 0;
  let faded = 0;
  let isFrozen = false;
  let isGone = told.about.state !== "ok";
  let frame = 0;

  const number = (raw) => (raw === "inf" ? Infinity : raw === "-inf" ? -Infinity : Number(raw));
  const clock = (at) => new Date(at).toISOString().slice(11, 19);
  // As dashboard/leaderboards/boards/showing.py writes scores.
  function exact(value) {
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    const text = Math.abs(value) >= 1e15 || (value && Math.abs(value) < 1e-4)
      ? String(Number(value.toPrecision(6)))
      : value.toLocaleString("en-US", { maximumFractionDigits: 6 });
    return text.replace("-", "−");
  }
  function difference(now, then) {
    const change = number(now) - number(then);
    if (Number.isNaN(change)) return "0";
    return change > 0 ? `+${exact(change)}` : exact(change);
  }
  function age(at) {
    if (!at) return "—";
    const seconds = Math.max(Math.round((Date.now() - at) / 1000), 0);
    return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
  }
  function rowsNow() {
    const found = [];
    for (let at = 0; places.get(`r${at}`); at += 1) found.push(places.get(`r${at}`));
    return found;
  }

  // --- One row ----------------------------------------------------------------------------

  function cell(tr, classes, label) {
    const td = document.createElement("td");
    td.className = classes;
    if (label) td.dataset.l = label;
    tr.append(td);
    return td;
  }
  function make(row) {
    const [id, name, , , , title, opens] = row;
    const tr = document.createElement("tr");
    tr.dataset.id = id;
    cell(tr, "num rank c-r");
    cell(tr, "").append(Object.assign(document.createElement("span"), { className: "mv eq" }));
    const who = cell(tr, "cut");
    const link = document.createElement(opens ? "a" : "span");
    if (opens) link.href = `${root.dataset.page}?at=${encodeURIComponent(id)}`;
    const word = document.createElement(title ? "b" : "bdi");
    word.className = title ? "" : "mono";
    word.textContent = title || name;
    link.append(word);
    who.append(link);
    if (hasKeys) cell(tr, "cut mono dim m-hide").append(Object.assign(document.createElement("bdi"), { textContent: name }));
    cell(tr, "num score");
    cell(tr, "num sub m-hide");
    cell(tr, "num m-hide");
    cell(tr, "num dim m-hide");
    return tr;
  }
  // Another text in the same node costs the browser no new style, as another node would.
  function put(td, text) {
    if (td.textContent === text) return;
    if (td.childNodes.length === 1 && td.firstChild.nodeType === Node.TEXT_NODE && text) td.firstChild.data = text;
    else td.textContent = text;
  }
  function fill(tr, row, above) {
    const [id, , rank, score, raw] = row;
    const cells = tr.cells;
    const last = cells.length - 1;
    const then = past(id);
    put(cells[0], rank == null ? "" : rank.toLocaleString("en-US"));
    move(cells[1].firstElementChild, then ? then.rank - rank : isUnknown(then) ? NaN : null);
    put(cells[last - 3], score);
    const gap = above ? Math.abs(number(above[4]) - number(raw)) : NaN;
    put(cells[last - 2], Number.isNaN(gap) ? "" : exact(gap));
    put(cells[last - 1], then ? difference(raw, then.raw) : "");
    cells[last - 1].classList.toggle("dim", !then || then.raw === raw);
    put(cells[last], age(changes.get(id)));
    tr.toggleAttribute("aria-selected", id === root.dataset.chosen);
    if (id === root.dataset.chosen) tr.setAttribute("aria-selected", "true");
  }
  function move(mark, by) {
    const [sign, words] = Number.isNaN(by) ? ["eq", "—"] : by === null ? ["up", "new"] : by > 0 ? ["up", `▲ ${by.toLocaleString("en-US")}`]
      : by < 0 ? ["dn", `▼ ${(-by).toLocaleString("en-US")}`] : ["eq", "="];
    mark.className = `mv ${sign}`;
    put(mark, words);
    mark.title = Number.isNaN(by) ? "It was not among the best that the history keeps"
      : by !== null ? "" : pasts[against] ? "It was not on the board" : "It was further away when you opened the page";
  }
  const isUnknown = (then) => !then && pasts[against] && !pasts[against].whole;
  function past(id) {
    if (pasts[against]) return pasts[against].rows.get(id);
    if (against === "opened") return base.get(id);
    return snaps[0].rows.get(id) || base.get(id);
  }

  // --- All rows ---------------------------------------------------------------------------

  const isHeld = () => isFrozen || body.matches(":hover") || body.contains(document.activeElement);

  function take(parts) {
    if (parts.about) about(parts.about);
    const before = ranks;
    for (const [name, row] of Object.entries(parts)) if (name[0] === "r") places.set(name, row);
    const now = rowsNow();
    ranks = new Map(now.map((row) => [row[0], row]));
    for (const row of now) {
      const was = before.get(row[0]);
      if (was && was[4] !== row[4]) changes.set(row[0], Date.now());
      const from = was ? was[2] : before.size && base.get(row[0])?.rank;
      if (from && from !== row[2]) moves.push({ at: Date.now(), row, from, by: was ? difference(row[4], was[4]) : "" });
    }
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(show);
    // A tab in the background draws no frames.
    if (document.hidden) show();
  }

  function show() {
    const now = rowsNow();
    const ids = [...body.children].map((tr) => tr.dataset.id);
    const isSame = now.length === ids.length && now.every((row, at) => row[0] === ids[at]);
    if (isSame) {
      wait(0);
      return refresh(now);
    }
    const due = settled + SETTLE - Date.now();
    if (!isHeld() && due <= 0) return settle(now);
    // The order stays as it is; what is shown of each member is so now.
    for (const tr of body.children) {
      const row = ranks.get(tr.dataset.id);
      if (row) fill(tr, row, null);
    }
    if (isHeld()) return wait(now.filter((row, at) => row[0] !== ids[at]).length);
    window.clearTimeout(timer);
    timer = window.setTimeout(show, due);
  }
  function wait(count) {
    held.hidden = !count;
    if (count) put(held, `${isFrozen ? "Frozen" : "Held still"}: ${count} of ${rowsNow().length} rows would move.`);
  }
  function refresh(now) {
    now.forEach((row, at) => fill(body.children[at], row, now[at - 1] || told.above));
  }
  function settle(now) {
    settled = Date.now();
    wait(0);
    const old = new Map([...body.children].map((tr) => [tr.dataset.id, tr]));
    const order = new Map([...body.children].map((tr, at) => [tr.dataset.id, at]));
    const tops = still.matches ? null : new Map([...old].map(([id, tr]) => [id, tr.offsetTop]));
    const next = now.map((row) => old.get(row[0]) || make(row));
    // Only what is elsewhere now is taken out and put in: the browser styles each such row anew.
    const stays = new Set(next);
    for (const tr of old.values()) if (!stays.has(tr)) tr.remove();
    for (const [at, tr] of next.entries()) if (body.children[at] !== tr) body.insertBefore(tr, body.children[at] || null);
    refresh(now);
    if (!tops || document.hidden) return;
    // All is measured before anything is changed: a look at a place after a change lays out the page.
    const shifts = next.map((tr) => (tops.has(tr.dataset.id) ? tops.get(tr.dataset.id) - tr.offsetTop : null));
    for (const [at, tr] of next.entries()) {
      // Only who rose is tinted: of each move there are many who sank by one.
      tr.classList.toggle("moved", shifts[at] === null || (shifts[at] > 0 && order.get(tr.dataset.id) > at));
      if (shifts[at] === 0) continue;
      const from = shifts[at] === null ? { opacity: 0 } : { transform: `translateY(${shifts[at]}px)` };
      tr.animate([from, { transform: "none", opacity: 1 }], { duration: 280, easing: "cubic-bezier(.2,.8,.2,1)" });
    }
    window.clearTimeout(faded);
    faded = window.setTimeout(() => body.querySelectorAll(".moved").forEach((tr) => tr.classList.remove("moved")), TINTED);
  }

  // --- What stands beside -----------------------------------------------------------------

  function about(found) {
    for (const place of document.querySelectorAll("[data-size]")) put(place, found.size.toLocaleString("en-US"));
    const isRanked = found.state !== "type" && found.state !== "refused";
    for (const words of document.querySelectorAll("[data-ranked]")) words.hidden = !isRanked;
    for (const words of document.querySelectorAll("[data-unranked]")) words.hidden = isRanked;
    const note = document.getElementById("gone-note");
    isGone = found.state !== "ok";
    note.hidden = !isGone;
    root.classList.toggle("stale", isGone);
    if (isGone) put(note.querySelector("[data-words]"), found.words);
    if (isGone) put(note.querySelector("[data-since]"), ` Seen at ${clock(Date.now())} UTC. ${body.children.length ? "What is below is the last that was there; the" : "The"} page goes on by itself.`);
  }
  function movers() {
    const place = document.querySelector("[data-movers]");
    if (!place) return;
    moves = moves.filter((one) => one.at > Date.now() - MINUTE).slice(-2000);
    const best = new Map();
    const size = (one) => Math.abs(one.from - one.row[2]);
    for (const one of moves) if (!best.has(one.row[0]) || size(best.get(one.row[0])) <= size(one)) best.set(one.row[0], one);
    const found = [...best.values()].sort((a, b) => size(b) - size(a)).slice(0, MOVES);
    document.querySelector("[data-no-movers]").hidden = found.length > 0;
    place.replaceChildren(...found.map(({ at, row, from, by }) => {
      const tr = document.createElement("tr");
      const mark = document.createElement("span");
      cell(tr, "c-mv").append(mark);
      move(mark, from - row[2]);
      const who = cell(tr, "cut");
      who.append(Object.assign(document.createElement(row[5] ? "b" : "bdi"), { textContent: row[5] || row[1] }), " ",
        Object.assign(document.createElement("span"), { className: "sub", textContent: `${from.toLocaleString("en-US")} to ${row[2].toLocaleString("en-US")}${by && by !== "0" ? `, ${by}` : ""}` }));
      cell(tr, "num dim mono").textContent = clock(at);
      return tr;
    }));
  }
  function second() {
    for (const tr of body.children) put(tr.cells[tr.cells.length - 1], age(changes.get(tr.dataset.id)));
    movers();
    const now = Date.now();
    if (now - snaps.at(-1).at >= SNAP) {
      snaps.push({ at: now, rows: new Map([...ranks].map(([id, row]) => [id, { rank: row[2], raw: row[4] }])) });
      while (snaps.length > 1 && snaps[1].at <= now - MINUTE) snaps.shift();
      if (against === "minute") show();
    }
  }

  // --- Hands ------------------------------------------------------------------------------

  const freeze = document.querySelector("[data-freeze]");
  freeze.addEventListener("click", () => {
    isFrozen = !isFrozen;
    freeze.setAttribute("aria-pressed", String(isFrozen));
    freeze.querySelector("[data-freeze-on]").hidden = isFrozen;
    freeze.querySelector("[data-freeze-off]").hidden = !isFrozen;
    show();
  });
  for (const button of root.querySelectorAll("[data-against]"))
    button.addEventListener("click", () => {
      against = button.dataset.against;
      for (const other of root.querySelectorAll("[data-against]")) other.setAttribute("aria-pressed", String(other === button));
      put(root.querySelector("[data-since-words]"), against === "minute" ? "moves against 60 s ago" : `moves since ${clock(pasts[against]?.at || opened)} UTC`);
      show();
    });
  body.addEventListener("pointerleave", () => requestAnimationFrame(show));
  body.addEventListener("focusout", () => requestAnimationFrame(show));

  document.addEventListener("DOMContentLoaded", () => {
    put(root.querySelector("[data-since-words]"), `moves since ${clock(opened)} UTC`);
    for (const element of document.querySelectorAll(".needs-js[hidden]")) element.hidden = false;
    refresh(rowsNow().slice(0, body.children.length));
    window.setInterval(second, 1000);
    RedisopsLive.follow(root.dataset.socket, {
      onParts: take,
      onSource(message) {
        const note = document.getElementById("source-note");
        note.hidden = message.ok;
        note.textContent = message.ok ? "" : `${root.dataset.server} does not answer: ${message.sentence} The rows are the last that were there. The page goes on by itself.`;
      },
    });
  });
})();

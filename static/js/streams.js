/* The live tail of a stream: rows as they come, at most 150 of them on the page. While things are
   calm each message is drawn at once; in a flood the page changes five times a second. It pauses without loss, holds still under the pointer, and counts all it leaves
   out. Without this file the page has the newest entries, as of when it was opened. */
(() => {
  "use strict";
  const root = document.querySelector("[data-tail][data-socket]");
  if (!root) return;
  const MOST = 150; // rows on the page
  const WAITING = 1000; // rows that wait while the list is held
  const EVERY = 80; // ms between two changes; the hub speaks every 125 ms at most
  const FLOODED = 200; // the same while entries are left out, or many come
  const MANY = 25; // rows at once: too many to mark each as new
  const body = document.getElementById("tail-rows").tBodies[0];
  const place = root.querySelector(".tail-scroll");
  const newer = root.querySelector("[data-newer]");
  const rate = root.querySelector("[data-rate]");
  const readOn = root.querySelector("[data-read-on]");
  const count = root.querySelector("[data-count]");
  const note = document.getElementById("tail-source");
  const rateIn = document.getElementById("rate-in");
  const isNewest = root.dataset.order !== "asc";
  const whole = new Intl.NumberFormat("en");
  // What came since the page was opened, exactly: rows + capped + missed = entries added (that
  // match). What waits to be drawn is among the rows until it has to make room.
  const told = { rows: 0, capped: 0, missed: 0, unknown: 0, paused: 0, updates: 0 };
  let waiting = [];
  let leftOut = 0; // by the cap, since the last change
  let last = root.dataset.last;
  let timer = 0;
  let drawn = 0;
  let isPaused = false;
  let isPointed = false;
  let live = null;
  window.RedisopsTail = told;

  const part = (id) => id.split("-").map(BigInt);
  function isAfter(id, other) {
    const [ms, n = 0n] = part(id);
    const [otherMs, otherN = 0n] = part(other || "0-0");
    return ms === otherMs ? n > otherN : ms > otherMs;
  }

  function clock(id) {
    const ms = Number(id.split("-")[0]);
    return ms < 253402300800000 ? new Date(ms).toISOString().slice(11, 23) : "—";
  }

  function make(tag, text, className) {
    const found = document.createElement(tag);
    if (text) found.textContent = text;
    if (className) found.className = className;
    return found;
  }

  function entry(id, fields, skipped, isMarked) {
    const row = make("tr", "", isMarked ? "new" : "");
    row.dataset.id = id;
    const name = make("td", "", "id");
    const link = make("a", id);
    link.href = `${root.dataset.path}entries/${id}/`;
    name.append(link);
    const cell = make("td");
    for (const [field, value, how] of fields) {
      cell.append(make("i", field), " ", make("bdi", value));
      if (how) cell.append(" ", make("small", how));
      cell.append("  ");
    }
    if (skipped) {
      const more = make("a", `+${whole.format(skipped)}`, "skipped");
      more.href = `${root.dataset.path}?view=browse&from=${id}`;
      more.title = `${whole.format(skipped)} entries just before this one are not shown: the cap left them out`;
      cell.append(more);
    }
    row.append(make("td", clock(id)), name, cell);
    return row;
  }

  const WHY = {
    slow: "your tab fell behind. Nothing is lost in Redis.",
    more: "there are more than are sent again. Nothing is lost in Redis.",
    trimmed: "they were trimmed before they could be read.",
    recreated: "the stream was deleted and written anew.",
    deleted: "the stream was deleted. What is added next appears here.",
    unreachable: "the server did not answer in between.",
    unknown: "this page's place is not known any more.",
  };

  function gap(message) {
    const row = make("tr", "", "gap");
    const cell = make("td");
    cell.colSpan = 3;
    const words = make("span");
    const n = message.missed;
    const known = n !== null && n !== undefined;
    const many = known ? `${whole.format(n)} entr${n === 1 ? "y" : "ies"}` : message.least ? `${whole.format(message.least)} or more entries` : "Entries";
    words.append(make("b", message.why === "deleted" || message.why === "recreated" ? "Another beginning" : `${many} not shown`), `: ${WHY[message.why] || message.why} `);
    if (message.after && !["trimmed", "deleted", "recreated"].includes(message.why)) {
      const link = make("a", "Read on from there");
      link.href = `${root.dataset.path}?view=browse&order=asc&from=${encodeURIComponent(message.after)}`;
      words.append(link);
    }
    cell.append(words);
    row.append(cell);
    return row;
  }

  const isHeld = () => isPaused || isPointed;

  function plan() {
    if (timer) return;
    const every = leftOut || waiting.length > MANY || isHeld() ? FLOODED : EVERY;
    const wait = drawn + every - performance.now();
    timer = window.setTimeout(() => window.requestAnimationFrame(draw), Math.max(0, wait));
  }

  function draw() {
    timer = 0;
    drawn = performance.now();
    leftOut = 0;
    tellTotal();
    if (isHeld()) return tellNewer();
    newer.hidden = true;
    if (!waiting.length) return undefined;
    told.updates += 1;
    makeRoom(MOST);
    const made = waiting.map((one) => (one.gap ? gap(one.gap) : entry(...one, waiting.length <= MANY)));
    waiting = [];
    const follows = !isNewest && place.scrollHeight - place.scrollTop - place.clientHeight < 40;
    for (const old of body.querySelectorAll("tr.new")) old.classList.remove("new");
    const spare = body.rows.length + made.length - MOST;
    for (let n = 0; n < spare; n += 1) (isNewest ? body.lastElementChild : body.firstElementChild).remove();
    if (isNewest) body.prepend(...made.reverse());
    else body.append(...made);
    document.getElementById("tail-empty")?.remove();
    if (follows) place.scrollTop = place.scrollHeight;
    return undefined;
  }

  // The oldest that wait make room: they are declared as not shown, on the row after them.
  function makeRoom(most) {
    if (waiting.length <= most) return;
    const gone = waiting.splice(0, waiting.length - most).filter((one) => !one.gap);
    told.rows -= gone.length;
    told.capped += gone.length;
    const next = waiting.find((one) => !one.gap);
    if (next) next[2] += gone.reduce((sum, one) => sum + 1 + one[2], 0);
  }

  function tellNewer() {
    const n = waiting.length + told.paused;
    newer.hidden = n === 0;
    newer.textContent = `${whole.format(n)} newer`;
  }

  function add(one) {
    waiting.push(one);
    makeRoom(WAITING);
  }

  function tellTotal() {
    const out = told.capped + told.missed;
    const more = told.unknown ? " or more" : "";
    const words = out || more ? `${whole.format(out)}${more} not shown since you opened it, ${whole.format(told.rows)} shown` : "";
    if (count.textContent !== words) count.textContent = words;
  }

  function rows(found) {
    for (const [id, [fields, skipped]] of found) {
      if (!isAfter(id, last)) continue; // the page had it already
      last = id;
      told.capped += skipped;
      leftOut += skipped;
      if (!fields) continue;
      told.rows += 1;
      add([id, fields, skipped]);
    }
    plan();
  }

  function parts(found) {
    if (found.facts) facts(found.facts);
    if (!found.rate) return;
    const now = found.rate;
    const short = (n) => (n >= 100 ? whole.format(Math.round(n)) : String(n));
    rate.replaceChildren("Showing ", make("b", short(now.shown)), " of ", make("b", short(now.match)), now.match === now.in ? " entries/s" : ` matching entries/s, ${short(now.in)} come in`);
    if (rateIn) rateIn.textContent = short(now.in);
    const mark = document.querySelector("[data-live-mark]");
    if (mark) mark.dataset.pace = `${short(now.shown)}/s of ${short(now.in)}/s`;
    if (mark && !isPaused && !mark.classList.contains("lost")) window.RedisopsLive.show("running", Date.now());
  }

  // What the page says beside the tail goes with it.
  function facts({ length, added, first, last: newest }) {
    const say = (name, text, id) => {
      for (const one of document.querySelectorAll(`[data-fact="${name}"]`)) {
        if (id && one.querySelector("a")) one.querySelector("a").href = `${root.dataset.path}entries/${id}/`;
        const place = (id && one.querySelector("a")) || one;
        if (place.textContent !== text) place.textContent = text;
      }
    };
    say("length", whole.format(length));
    if (added !== null) say("added", whole.format(added));
    if (first) say("first", first, first);
    if (newest) say("last", newest, newest);
  }

  function missed(message) {
    if (message.missed === null || message.missed === undefined) told.unknown += 1;
    else told.missed += message.missed;
    if (message.why === "recreated" || message.why === "deleted") last = "0-0";
    add({ gap: message });
    plan();
  }

  function source(message) {
    note.hidden = message.ok;
    note.textContent = message.ok ? "" : `${root.dataset.server} gives nothing now: ${message.sentence} The tail goes on by itself, from the last entry it showed.`;
  }

  function hidden(n) {
    told.paused += n;
    tellNewer();
  }

  const button = root.querySelector("[data-pause]");
  function toggle() {
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(isPaused));
    button.querySelector("[data-pause-on]").hidden = isPaused;
    button.querySelector("[data-pause-off]").hidden = !isPaused;
    told.paused = 0;
    readOn.hidden = !isPaused;
    if (isPaused) {
      readOn.querySelector("a").href = `${root.dataset.path}?view=browse&order=asc&from=${encodeURIComponent(last)}`;
      return live.pause();
    }
    live.resume();
    return release();
  }

  function release() {
    if (isHeld()) return tellNewer();
    newer.hidden = true;
    return plan();
  }

  // A row under the pointer or with the focus stays where it is.
  let moved = 0;
  place.addEventListener("pointerenter", () => { isPointed = true; });
  place.addEventListener("pointerleave", () => { isPointed = false; window.clearTimeout(moved); release(); });
  place.addEventListener("focusin", (event) => { isPointed = event.target !== place; });
  place.addEventListener("focusout", () => { isPointed = place.matches(":hover"); release(); });
  newer.addEventListener("click", () => {
    if (isPaused) return toggle();
    isPointed = false;
    draw();
    place.scrollTop = isNewest ? 0 : place.scrollHeight;
    return undefined;
  });
  // --- Copying what is on the page ----------------------------------------------------------
  const quoted = (text) => `"${text.replace(/(["])/g, "\\$1")}"`;
  function copied(how) {
    const found = [...body.querySelectorAll("tr[data-id]")].map((row) => {
      const names = [...row.querySelectorAll("td:last-child > i")].map((one) => one.textContent);
      const values = [...row.querySelectorAll("td:last-child > bdi")].map((one) => one.textContent);
      return [row.dataset.id, names.map((name, n) => [name, values[n]])];
    });
    if (how === "json") return JSON.stringify(found.map(([id, fields]) => ({ id, fields })), null, 1);
    return found.map(([, fields]) => `XADD ${quoted(root.dataset.key)} * ${fields.flat().map(quoted).join(" ")}`).join("\n");
  }
  for (const one of root.querySelectorAll("[data-copy-as]")) {
    one.addEventListener("click", async () => {
      await navigator.clipboard.writeText(copied(one.dataset.copyAs));
      const words = [...one.childNodes];
      one.textContent = "Copied";
      window.setTimeout(() => one.replaceChildren(...words), 2000);
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!isNewest) place.scrollTop = place.scrollHeight;
    live = window.RedisopsLive.follow(root.dataset.socket, {
      lastId: last,
      onRows: rows,
      onGap: missed,
      onParts: parts,
      onSource: source,
      onCount: hidden,
    });
    button.addEventListener("click", toggle);
  });
})();

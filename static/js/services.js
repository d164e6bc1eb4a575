/* The wall of services: the socket gives the parts that changed, this file puts them where they
   belong, lets those that arrive, leave and move be seen to, and counts down to the next beats.
   Without it the page is whole, as of when it was opened. */
(() => {
  "use strict";
  const root = document.querySelector("[data-wall]");
  if (!root) return;
  const SVG = "http://www.w3.org/2000/svg";
  const SLOTS = 18;
  const BEATS = 3;
  const RESTING = 10000;
  const APART = 100;
  const MOVES = 24; // so many may be seen to move at once
  const AROUND = 28.3; // the ring's length
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const parts = new Map();
  const lives = new Map();
  for (const [card, rows] of Object.entries(JSON.parse(root.dataset.live)))
    for (const [id, live] of Object.entries(rows)) lives.set(`${card} ${id}`, live);
  const pulses = new Map();
  let ahead = Number(root.dataset.now) - Date.now(); // the server's clock less this one
  let isLost = false;
  let held = false;

  const now = () => Date.now() + ahead;
  const number = (value) => value.toLocaleString("en-US");
  function put(place, text) {
    if (place && place.textContent !== text) place.textContent = text;
  }
  // Fragments that the server rendered and escaped.
  const made = (html) => new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
  const morph = (place, html, how) => window.Idiomorph.morph(place, html, { morphStyle: how });

  // --- What moves by itself ---------------------------------------------------------------

  // One path for all bars of a kind: thousands of instances are few nodes each.
  function bars(svg, slots) {
    if (svg.dataset.of === slots) return;
    svg.dataset.of = slots;
    const paths = new Map();
    [...slots].forEach((mark, at) => {
      const tall = { x: 12, w: 10, "-": 3 }[mark] || 2 + Number(mark);
      const kind = { x: "x", w: "w", "-": "n" }[mark] || "u";
      const bar = `M${(SLOTS - slots.length + at) * 4} ${12 - tall}h3v${tall}h-3z`;
      paths.set(kind, (paths.get(kind) || "") + bar);
    });
    svg.replaceChildren(...[...paths].map(([kind, d]) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", kind);
      path.setAttribute("d", d);
      return path;
    }));
  }
  function ring(place) {
    let go = place.querySelector(".go");
    if (go) return go;
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "ring");
    svg.setAttribute("viewBox", "0 0 12 12");
    svg.setAttribute("aria-hidden", "true");
    for (const name of ["", "go"]) {
      const circle = document.createElementNS(SVG, "circle");
      for (const [key, value] of [["cx", 6], ["cy", 6], ["r", 4.5]]) circle.setAttribute(key, value);
      if (name) circle.setAttribute("class", name);
      svg.append(circle);
      go = circle;
    }
    go.setAttribute("transform", "rotate(-90 6 6)");
    place.replaceChildren(svg, document.createTextNode(""));
    return go;
  }
  // Seconds until the next beat is due; a beat that is late counts up until the lease is over.
  function countdown(place, kind, end, ttl) {
    if (!end || isLost) return put(place, isLost && end ? "—" : "");
    const at = now();
    const due = end - (ttl * (BEATS - 1)) / BEATS;
    const left = Math.ceil((due - at) / 1000);
    if (kind === "silent" || at > end) return put(place, `over ${span(at - end)}`);
    if (kind === "late") return put(place, `late ${span(at - due)}`);
    if (at > due + ttl / BEATS) return put(place, "due");
    const share = Math.max(0, Math.min(1, (due - at) / (ttl / BEATS)));
    ring(place).setAttribute("stroke-dasharray", `${(share * AROUND).toFixed(1)} ${AROUND}`);
    const text = left > 0 ? `in ${left} s` : "now";
    if (place.lastChild.data !== text) place.lastChild.data = text;
  }
  function span(ms) {
    const s = Math.max(0, Math.round(ms / 1000));
    return s < 100 ? `${s} s` : s < 6000 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
  }
  function fill(card) {
    for (const row of card.querySelectorAll("[data-i]")) {
      const [end, ttl, slots, check] = lives.get(`${card.dataset.c} ${row.dataset.i}`) || [0, 0, "", ""];
      bars(row.querySelector("[data-slots]"), slots);
      put(row.querySelector("[data-ms]"), check);
      countdown(row.querySelector("[data-in]"), row.dataset.kind, end, ttl);
    }
  }
  function soon(line) {
    const pulse = pulses.get(line.dataset.l);
    if (!pulse || isLost) return put(line.querySelector("[data-in]"), "");
    // A beat that does not come as foretold is told: what was told lasts until then.
    const [due, apart] = pulse;
    const left = due > now() ? due - now() : apart - ((now() - due) % apart);
    put(line.querySelector("[data-in]"), `, in ${Math.ceil(left / 1000)} s`);
  }
  // Only what can be seen counts down; the rest is brought up to now when it comes into view.
  const near = new Set();
  const eye = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting || !target.isConnected) near.delete(target);
      else { near.add(target); tell(target); }
    }
  }, { rootMargin: "300px" });
  const tell = (one) => (one.dataset.c === undefined ? soon(one) : fill(one));
  function watch(one) {
    eye.observe(one);
    tell(one);
    return one;
  }
  function second() {
    if (document.hidden) return;
    for (const one of near) tell(one);
  }

  // --- Parts ------------------------------------------------------------------------------

  const places = { verdict: "wall-verdict", banners: "wall-banners" };
  const touched = new Set();
  const waiting = new Map();
  let timer = 0;
  let drawn = -Infinity;

  // What comes after a quiet moment is shown at once; what follows faster than it can be shown, in
  // one go, as it is then.
  function take(found) {
    for (const [name, part] of Object.entries(found)) waiting.set(name, part);
    if (timer) return;
    const rest = drawn + APART - performance.now();
    if (rest <= 0) draw();
    else timer = window.setTimeout(draw, rest);
  }
  function draw() {
    timer = 0;
    const moved = new Set();
    for (const [name, part] of waiting) {
      const kind = name.slice(0, 2);
      if (kind === "b ") keep(lives, name.slice(2), part);
      else if (kind === "e ") keep(pulses, name.slice(2), part);
      else if (name === "now") ahead = Math.max(ahead - 50, part - Date.now()) || 0;
      else if (name === "about") about(part);
      else if (name === "changes") changes(part);
      else if (name in places) morph(document.getElementById(places[name]), part, "innerHTML");
      else {
        if (part === null) parts.delete(name);
        else parts.set(name, part);
        touched.add(name);
      }
      if (kind === "b " || kind === "e ") moved.add(name);
    }
    waiting.clear();
    if (touched.size && !hold()) show();
    if (moved.size) second();
    drawn = performance.now();
  }
  function keep(map, key, part) {
    if (part) map.set(key, part);
    else map.delete(key);
  }
  function changes(html) {
    const place = document.querySelector("[data-changes]");
    if (place) morph(place, html, "innerHTML");
  }
  function about(found) {
    document.getElementById("wall-empty").hidden = !found.empty;
    document.getElementById("wall-none").hidden = !found.services || found.found > 0 || !document.getElementById("wall-found");
    for (const place of document.querySelectorAll("[data-when-there]")) place.hidden = found.empty;
    put(document.querySelector("[data-found]"), number(found.found));
    put(document.querySelector("[data-of]"), number(found.instances));
  }

  // Cards under the pointer or the focus stay where they are; what they say is so now.
  // A pointer that was left lying on a screen holds nothing.
  let pointed = 0;
  const isHeld = () => root.matches(":hover") && Date.now() - pointed < RESTING && matchMedia("(hover: hover)").matches
    ? root.querySelector(".svc:hover, .calm a:hover") : root.querySelector(":focus-visible");
  function hold() {
    held = Boolean(isHeld()) && touched.has("shape");
    if (held) refresh();
    return held;
  }
  function refresh() {
    const shown = new Map();
    for (const one of root.querySelectorAll("[data-c], [data-l]"))
      shown.set(one.dataset.c === undefined ? `l ${one.dataset.l}` : `c ${one.dataset.c}`, one);
    for (const name of touched) {
      const html = parts.get(name);
      if (html && shown.has(name)) renew(shown.get(name), html);
      if (name[1] === " " && name[0] !== "g") touched.delete(name);
    }
  }
  function renew(one, html) {
    const before = one.className;
    const letter = one.dataset.c === undefined ? "l" : "c";
    morph(one, html, "outerHTML");
    const fresh = one.isConnected ? one : root.querySelector(`[data-${letter}="${CSS.escape(one.dataset[letter])}"]`) || one;
    if (letter === "c" && fresh.className !== before) tint(fresh);
    return watch(fresh);
  }
  function tint(element) {
    element.classList.remove("moved");
    void element.offsetWidth;
    element.classList.add("moved");
  }

  function show() {
    const shape = parts.get("shape");
    if (!shape) return;
    const before = still.matches || document.hidden ? null : where();
    refresh();
    if (touched.has("shape") || [...touched].some((name) => name.startsWith("g "))) arrange(shape);
    touched.clear();
    if (before) move(before);
  }
  function arrange(shape) {
    const sections = new Map([...root.children].map((one) => [one.dataset.g, one]));
    order(root, shape.map(([key, cards, lines]) => {
      const html = parts.get(`g ${key}`);
      const section = sections.get(key) || made(html);
      if (touched.has(`g ${key}`) && html) head(section, html);
      settle(section.querySelector("[data-cards]"), cards, "c");
      settle(section.querySelector("[data-lines]"), lines, "l");
      section.querySelector("[data-calm]").hidden = !lines.length;
      return section;
    }));
  }
  function head(section, html) {
    const fresh = made(html);
    for (const name of ["[data-head]", "[data-more]"]) {
      const [old, next] = [section.querySelector(name), fresh.querySelector(name)];
      if (old && next && old.innerHTML !== next.innerHTML) old.replaceWith(next);
    }
  }
  function settle(box, keys, letter) {
    const old = new Map([...box.children].map((one) => [one.dataset[letter], one]));
    order(box, keys.map((key) => {
      const html = parts.get(`${letter} ${key}`);
      return old.get(key) || (html && watch(made(html)));
    }).filter(Boolean));
  }
  // Those that leave go, those that moved are put elsewhere; the others are not touched at all.
  function order(box, wanted) {
    const stay = new Set(wanted);
    for (const one of [...box.children]) if (!stay.has(one)) one.remove();
    let at = box.firstElementChild;
    for (const one of wanted) {
      if (at !== one && at?.nextElementSibling === one) { // ``at`` moved down: it comes later
        const down = at;
        at = one;
        down.remove();
      }
      if (at === one) at = one.nextElementSibling;
      else box.insertBefore(one, at);
    }
  }

  // --- Moves ------------------------------------------------------------------------------

  // What was in sight, and where; cards and rows only to tell which are new.
  function where() {
    const boxes = new Map();
    for (const one of near) if (one.isConnected) boxes.set(one, one.getBoundingClientRect());
    const there = new Set();
    for (const card of root.querySelectorAll("[data-c]"))
      for (const one of [card, ...card.querySelectorAll("[data-i]")]) there.add(full(card, one));
    return { boxes, there };
  }
  const full = (card, one) => `${card.dataset.c} ${one.dataset.i || ""}`;
  // Many moves at once say nothing, and are dear: then things are where they belong at once.
  function move({ boxes, there }) {
    if (!boxes.size) return;
    const moves = [];
    for (const card of root.querySelectorAll("[data-c]")) {
      if (!there.has(full(card, card))) moves.push([card, null]);
      else for (const row of card.querySelectorAll("[data-i]")) if (!there.has(full(card, row))) moves.push([row, null]);
    }
    for (const [one, from] of boxes) {
      const to = one.getBoundingClientRect();
      if (one.isConnected && (Math.abs(from.top - to.top) > 1 || Math.abs(from.left - to.left) > 1)) moves.push([one, from, to]);
    }
    if (moves.length > MOVES) return;
    for (const [one, from, to] of moves) {
      if (from) one.animate([{ transform: `translate(${from.left - to.left}px, ${from.top - to.top}px)` }, { transform: "none" }], { duration: 320, easing: "cubic-bezier(.2,.8,.2,1)" });
      else one.animate([{ opacity: 0, transform: "translateY(-6px)" }, { opacity: 1, transform: "none" }], { duration: 320, easing: "ease-out" });
      if (!from && one.dataset.i) tint(one);
    }
  }

  root.addEventListener("pointermove", () => { pointed = Date.now(); }, { passive: true });
  root.addEventListener("pointerleave", release);
  root.addEventListener("focusout", () => requestAnimationFrame(release));
  function release() {
    if (held && !isHeld()) { held = false; show(); }
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const element of document.querySelectorAll(".needs-js[hidden]")) element.hidden = false;
    for (const one of root.querySelectorAll("[data-c], [data-l]")) watch(one);
    window.setInterval(() => { second(); release(); }, 1000);
    const note = document.getElementById("source-note");
    RedisopsLive.follow(root.dataset.socket, {
      onParts: take,
      onState(state) {
        isLost = state !== "running";
        root.classList.toggle("stale", isLost);
        second();
      },
      onSource(message) {
        note.hidden = message.ok;
        note.textContent = message.ok ? "" : `${root.dataset.server} does not answer: ${message.sentence} What is shown is the last that was known. The page goes on by itself.`;
      },
    });
  });
})();

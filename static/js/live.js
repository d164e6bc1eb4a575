/* Follows a topic over a WebSocket, through every fault: resumes by the last id it saw, connects
   again by itself, keeps quiet while nobody looks, and says in the top bar how it stands.

     RedisopsLive.follow(path, { lastId, onRows, onGap, onParts, onSource, onCount, onState })

   The server's messages are described in dashboard/servers/queues.py. */
(() => {
  "use strict";
  const FIRST = 500;
  const PATIENT = 4000; // while a fault is fresh: pages recover within five seconds of its end
  const LONGEST = 30000;
  const FRESH = 5 * 60 * 1000;
  const SILENCE = 15000; // the server says something at least every 5 s
  const OPENING = 5000; // a try into a dead network would hang for minutes
  const HIDE_AFTER = 10000;
  const REFUSED = new Set([4401, 4403, 4404]);

  const mark = () => document.querySelector("[data-live-mark]");
  const clock = (at) => new Date(at).toISOString().slice(11, 19);

  // The mark keeps its words short; a screen reader hears them when they change, not every tick.
  function show(state, since, words) {
    const place = mark();
    if (!place) return;
    const text = words || {
      running: `Live, ${place.dataset.pace}`,
      connecting: "Connecting",
      paused: `Paused since ${clock(since)}`,
      lost: `Not live since ${clock(since)}`,
    }[state];
    place.classList.toggle("paused", state === "paused");
    place.classList.toggle("lost", state === "lost" || state === "connecting");
    // What the switch says of the server is as old as the page; the overview keeps it up to date.
    const told = document.querySelector(".switch [data-state-now]");
    if (told && !document.querySelector("#part-verdict")) told.hidden = state === "lost";
    if (place.textContent !== text) place.textContent = text;
  }

  function follow(path, options) {
    let socket = null;
    let timer = 0;
    let silence = 0;
    let opening = 0;
    let hasOpened = false;
    let hiding = 0;
    let tries = 0;
    let neverOpened = 0;
    let lostAt = 0;
    let pausedAt = 0;
    let sourceLostAt = 0;
    let isHidden = false;
    let isOver = false;
    let lastId = options.lastId || "";

    const address = () => {
      const scheme = location.protocol === "https:" ? "wss:" : "ws:";
      const after = lastId ? `?after=${encodeURIComponent(lastId)}` : "";
      return `${scheme}//${location.host}${path}${after}`;
    };

    function tell() {
      let state = "running";
      let since = 0;
      if (lostAt) [state, since] = ["lost", lostAt];
      else if (pausedAt) [state, since] = ["paused", pausedAt];
      else if (sourceLostAt) [state, since] = ["lost", sourceLostAt];
      else if (!socket || socket.readyState !== WebSocket.OPEN) state = "connecting";
      show(state, since);
      options.onState?.(state, since);
    }

    function say(message) {
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    }

    function heard() {
      window.clearTimeout(silence);
      silence = window.setTimeout(drop, SILENCE);
    }

    const handlers = {
      rows(message) {
        lastId = message.rows.at(-1)[0];
        options.onRows?.(message.rows);
      },
      state: (message) => options.onParts?.(message.parts),
      gap(message) {
        options.onGap?.(message);
      },
      count: (message) => options.onCount?.(message.rows),
      source(message) {
        sourceLostAt = message.ok ? 0 : (message.since || Date.now() / 1000) * 1000;
        options.onSource?.(message);
        tell();
      },
    };

    function connect() {
      window.clearTimeout(timer);
      if (isOver || (socket && socket.readyState <= WebSocket.OPEN)) return;
      const own = new WebSocket(address());
      socket = own;
      hasOpened = false;
      opening = window.setTimeout(drop, OPENING);
      own.addEventListener("open", () => {
        if (own !== socket) return;
        window.clearTimeout(opening);
        hasOpened = true;
        tries = neverOpened = lostAt = sourceLostAt = 0;
        heard();
        if (isHidden || pausedAt) say({ t: "hide" });
        tell();
      });
      own.addEventListener("message", (event) => {
        if (own !== socket) return;
        heard();
        const found = JSON.parse(event.data);
        for (const message of Array.isArray(found) ? found : [found]) handlers[message.t]?.(message);
      });
      own.addEventListener("close", (event) => {
        if (own === socket) lose(event.code);
      });
    }

    // A dead line takes seconds to be closed properly: nobody waits for it, or hears it any more.
    function drop() {
      if (!socket || isOver) return;
      const dead = socket;
      lose();
      dead.close();
    }

    function lose(code) {
      window.clearTimeout(silence);
      window.clearTimeout(opening);
      socket = null;
      if (isOver) return;
      lostAt = lostAt || Date.now();
      neverOpened = hasOpened ? 0 : neverOpened + 1;
      if (REFUSED.has(code)) return end(code);
      tell();
      plan();
      // A refused handshake has no code that a page may see: ask by HTTP what is the matter.
      if (neverOpened % 3 === 2) ask();
    }

    function plan() {
      tries += 1;
      const ceiling = Date.now() - lostAt < FRESH ? PATIENT : LONGEST;
      const wait = Math.min(ceiling, FIRST * 2 ** Math.min(tries - 1, 10));
      timer = window.setTimeout(connect, wait * (0.5 + Math.random() / 2));
    }

    async function ask() {
      try {
        const answer = await fetch(location.href, { method: "HEAD", redirect: "manual", cache: "no-store" });
        if (answer.type === "opaqueredirect" || answer.status === 401) end(4401);
        else if (answer.status === 403) end(4403);
        else if (answer.status === 404) end(4404);
      } catch {
        // The console does not answer at all: the planned try comes anyway.
      }
    }

    function end(code) {
      isOver = true;
      window.clearTimeout(timer);
      if (code === 4401) {
        location.reload(); // to the sign-in page, and back here from there
        return;
      }
      show("lost", Date.now(), "Not allowed any more");
      options.onState?.("over", Date.now());
    }

    function wake() {
      window.clearTimeout(hiding);
      if (document.hidden) {
        hiding = window.setTimeout(() => {
          isHidden = true;
          say({ t: "hide" });
        }, HIDE_AFTER);
        return;
      }
      if (isHidden) {
        isHidden = false;
        if (!pausedAt) say({ t: "show", after: lastId });
      }
      if (lostAt) connect();
    }

    function pause() {
      pausedAt = Date.now();
      say({ t: "hide" });
      tell();
    }

    function resume() {
      pausedAt = 0;
      say({ t: "show", after: lastId });
      tell();
    }

    document.addEventListener("visibilitychange", wake);
    window.addEventListener("offline", drop);
    window.addEventListener("online", connect);
    window.addEventListener("pagehide", () => { isOver = true; socket?.close(1000); });
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) { isOver = false; connect(); }
    });
    connect();
    return { pause, resume, seen: (id) => { lastId = id; } };
  }

  window.RedisopsLive = { follow, show };
})();

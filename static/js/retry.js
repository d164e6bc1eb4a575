/* A page that could not be shown looks again by itself: the same address, when the server says that it
   may find something new, less often the longer it lasts, not at all while hidden. It reloads once the address answers well, and
   refreshes its own words meanwhile. What somebody has typed is never thrown away. */
(() => {
  "use strict";
  const LEAST = 500;
  const PATIENT = 40; // looks at full pace, about a minute
  const LONGEST = 15000;
  let timer = 0;
  let tries = 0;

  const marked = () => document.querySelector("[data-retry]");

  function plan(soon) {
    window.clearTimeout(timer);
    const place = marked();
    if (!place) return;
    const told = Math.max(Number(place.dataset.retry) || 1500, LEAST);
    const wait = Math.min(told * 1.15 ** Math.max(0, tries - PATIENT), LONGEST);
    timer = window.setTimeout(look, soon ?? wait * (1 + Math.random() * 0.1));
  }

  function hasTyped() {
    return [...document.querySelectorAll("#main input, #main textarea")].some(
      (field) => field.type !== "hidden" && (field.value !== field.defaultValue || field.checked !== field.defaultChecked),
    );
  }

  async function look() {
    const place = marked();
    if (!place) return;
    if (document.hidden) return; // visibilitychange plans the next look
    tries += 1;
    const stop = new AbortController();
    const late = window.setTimeout(() => stop.abort(), 8000);
    try {
      const answer = await fetch(window.location.href, {
        headers: { Accept: "text/html", "X-Retry": String(tries) },
        redirect: "manual",
        cache: "no-store",
        signal: stop.signal,
      });
      if (answer.status !== 503) {
        stop.abort(); // the body may be large; the reload fetches it once
        answered(place);
        return;
      }
      refresh(place, await answer.text());
    } catch {
      // The console itself does not answer, or the look took too long: look again later.
    } finally {
      window.clearTimeout(late);
    }
    plan();
  }

  function answered(place) {
    if (!hasTyped()) {
      window.location.reload();
      return;
    }
    place.removeAttribute("data-retry");
    const words = place.querySelector("[role=status]") ?? place;
    words.textContent = "It answers again. What you typed is still here.";
  }

  function refresh(place, text) {
    const told = /data-retry="(\d+)"/.exec(text);
    if (told) place.dataset.retry = told[1];
    if (place.classList.contains("note")) return;
    if (place.matches(":hover") || place.contains(document.activeElement)) {
      // Words change under the pointer; buttons and what has the focus stay where they are.
      swap(text, "[role=status]");
      return;
    }
    swap(text, "#trouble");
  }

  function swap(text, selector) {
    const fresh = new DOMParser().parseFromString(text, "text/html").querySelector(`#trouble${selector === "#trouble" ? "" : ` ${selector}`}`);
    const old = document.querySelector(`#trouble${selector === "#trouble" ? "" : ` ${selector}`}`);
    if (!fresh || !old || fresh.isEqualNode(old)) return;
    if (window.Idiomorph) window.Idiomorph.morph(old, fresh);
    else old.replaceWith(document.adoptNode(fresh));
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && marked()) plan(200);
  });
  document.addEventListener("htmx:load", () => plan());
  document.addEventListener("DOMContentLoaded", () => plan());
  if (document.readyState !== "loading") plan();
})();

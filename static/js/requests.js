// Every htmx request carries the CSRF token of this page; an answer lost on the way says so.
(() => {
  const token = () => document.querySelector('meta[name="csrf-token"]').content;

  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRFToken"] = token();
  });

  const say = (words) => {
    const main = document.getElementById("main");
    if (!main) return;
    let note = document.getElementById("request-note");
    if (!note) {
      note = document.createElement("div");
      note.id = "request-note";
      note.className = "note bad";
      note.setAttribute("role", "status");
      const head = main.querySelector(":scope > .head");
      head ? head.after(note) : main.prepend(note);
    }
    note.textContent = words;
  };

  // Old content stays; the note goes away with the next answer.
  document.addEventListener("htmx:sendError", () =>
    say("The console did not answer. What you see is as it was; try again in a moment."));
  document.addEventListener("htmx:timeout", () =>
    say("The console took too long to answer. What you see is as it was; try again in a moment."));
  document.addEventListener("htmx:afterOnLoad", () =>
    document.getElementById("request-note")?.remove());
})();

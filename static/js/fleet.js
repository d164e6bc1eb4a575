/* The fleet looks again every two seconds by htmx. Nothing is asked while nobody looks, rows stay
   where the pointer or the focus is, and the mark in the top bar says when answers stop coming. */
(() => {
  "use strict";
  let lostAt = 0;
  const table = () => document.querySelector("#fleet table");
  const isHeld = () => Boolean(table()?.matches(":hover, :focus-within"));
  const order = () => [...document.querySelectorAll("#fleet tr[data-slug]")].map((row) => row.dataset.slug);

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.id === "fleet" && document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.target.id === "fleet" && isHeld()) event.detail.parameters.hold = order().join(",");
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.target.id !== "fleet") return;
    lostAt = event.detail.successful ? 0 : lostAt || Date.now();
    window.RedisopsLive?.show(lostAt ? "lost" : "running", lostAt);
  });
})();

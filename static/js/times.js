// The clock on top, and the age beside a time. Ages follow the server's clock, not the browser's.
(() => {
  const clock = document.querySelector("[data-clock]");
  const ahead = clock ? Date.now() - Date.parse(clock.dateTime) : 0;
  const now = () => Date.now() - ahead;
  const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

  const age = (seconds) => {
    const whole = Math.abs(Math.round(seconds));
    if (whole < 1) return "now";
    const [unit, length] = parts.find(([, size]) => whole >= size);
    const words = `${Math.floor(whole / length)} ${unit}`;
    return seconds > 0 ? `${words} ago` : `in ${words}`;
  };

  const tick = () => {
    if (document.hidden) return;
    const text = new Date(now()).toISOString().slice(11, 19);
    if (clock) clock.textContent = `${text} UTC`;
  };

  const refresh = () => {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[data-when]")) {
      const words = age((now() - Date.parse(time.dateTime)) / 1000);
      time.title = time.title.replace(/, [^,]*$/, `, ${words}`);
      if (time.dataset.when === "age")
        time.textContent = time.textContent.replace(/, [^,]*$/, `, ${words}`);
    }
  };

  setInterval(tick, 1000);
  setInterval(refresh, 10000);
  document.addEventListener("visibilitychange", () => { tick(); refresh(); });
})();

/* Tells the overview's plots in words, for those who do not see them: the sentence and the table
   under each plot, from the data that the plot has. The page brings the first ones. */
(() => {
  "use strict";
  const EVERY = 10000;
  let told = 0;

  function sentence(label, values, unit) {
    const known = values.filter((value) => value != null);
    if (!known.length) return `${label}: not known.`;
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    const low = unit(known.reduce((a, b) => Math.min(a, b)));
    const high = unit(known.reduce((a, b) => Math.max(a, b)));
    if (known.length === 1) return `${label}: ${low}, known once.`;
    if (low === high) return `${label}: ${low} all the time.`;
    return `${label}: ${unit(known.at(-1))} last, ${unit(mean)} on average, ${low} to ${high}.`;
  }

  function write(place, text) {
    if (place && place.textContent !== text) place.textContent = text;
  }

  function caption(host, data) {
    const words = host.closest(".panel")?.querySelector(".in-words");
    if (!words) return;
    const unit = RedisopsPlots.units[host.dataset.unit];
    const lines = host.dataset.lines.trim().split(/\s+/).map((one) => one.split(":"));
    const labels = [...words.querySelectorAll("th")].slice(1).map((one) => one.textContent);
    const said = lines.flatMap(([field, style], index) => (style === "0" ? [] : [sentence(labels[index], data.columns[field], unit)]));
    write(words.querySelector("summary"), said.join(" "));
    const rows = words.querySelectorAll("tbody tr");
    const step = Math.max(Math.ceil(data.times.length / rows.length), 1);
    rows.forEach((row, index) => {
      const at = data.times.length - 1 - index * step;
      moment(row.querySelector("time"), data.times[at]);
      lines.forEach(([field], column) => {
        const value = data.columns[field][at];
        write(row.cells[column + 1], value == null ? "—" : unit(value));
      });
    });
  }

  // The date stays on the hover; times.js keeps what is written as the page does.
  function moment(place, at) {
    if (!place || at == null) return;
    const time = new Date(at * 1000);
    const iso = `${time.toISOString().slice(0, 19)}Z`;
    if (place.dateTime === iso) return;
    place.dateTime = iso;
    place.title = `${time.toUTCString().slice(5, 25)} UTC`;
    place.textContent = iso.slice(0, 10) === new Date().toISOString().slice(0, 10)
      ? iso.slice(11, 19)
      : `${time.getUTCDate()} ${time.toUTCString().slice(8, 11)} ${iso.slice(11, 16)}`;
  }

  // Not at every look: who reads a sentence or a table has ten seconds before it changes.
  function tell(data, isNow) {
    if (!isNow && Date.now() - told < EVERY) return;
    told = Date.now();
    for (const host of document.querySelectorAll("[data-plot]")) caption(host, data);
  }

  window.RedisopsCaptions = { tell };
})();

/* Draws the overview's plots with uPlot: honest gaps, an axis from zero unless it says otherwise,
   events as dashed lines with a word, the values under the pointer in the legend. */
(() => {
  "use strict";
  const STEPS = [1, 2, 2.5, 5, 10];
  const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  // Bytes are counted in powers of two, and so are the lines of their axis.
  const POWERS = Array.from({ length: 60 }, (_, index) => 2 ** index);
  const drawn = new Map();

  const short = (value) => {
    const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    const text = value.toFixed(digits);
    return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  };
  const scaled = (value, base, units, glue) => {
    let index = 0;
    let left = value;
    while (left >= 999.5 && index < units.length - 1) { left /= base; index += 1; }
    return `${short(left)}${glue}${units[index]}`;
  };
  const count = (value) => (value < 1000 ? short(value) : scaled(value, 1000, ["", "k", "M", "B"], ""));
  const bytes = (value) => (value === 0 ? "0" : scaled(value, 1024, BINARY, " "));
  const ms = (value) => {
    if (value === 0) return "0";
    if (value < 0.0995) return `${short(value * 1000)} µs`;
    return value < 999.5 ? `${short(value)} ms` : `${short(value / 1000)} s`;
  };
  const UNITS = {
    count,
    ms,
    bytes,
    "bytes/s": (value) => (value === 0 ? "0" : `${bytes(value)}/s`),
    percent: (value) => `${short(value)}%`,
  };

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim() || name;
  // light-dark() is only resolved on an element that uses it.
  const resolved = (name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found || colour(name);
  };

  const nice = (value, unit) => {
    if (value <= 0) return 1;
    if (unit.startsWith("bytes")) {
      const part = 2 ** (Math.floor(Math.log2(value)) - 2);
      return Math.ceil(value / part) * part;
    }
    const power = 10 ** Math.floor(Math.log10(value));
    return power * (STEPS.find((step) => step * power >= value * 0.999) || 10);
  };

  // From zero; only a share that never leaves the top tenth is shown from there, and says so.
  function bounds(unit, name) {
    return (plot, low, high) => {
      if (low === null || high === null) return [0, unit === "percent" ? 100 : 1];
      if (name === "hits") {
        const from = low >= 99 ? 98 : low >= 90 ? 90 : 0;
        note(plot.root, from ? `axis from ${from}%` : "");
        return [from, 100];
      }
      if (unit === "percent") return [0, Math.min(Math.max(nice(high * 1.05, unit), 1), high > 100 ? nice(high, unit) : 100)];
      return [0, nice(high * 1.08, unit)];
    };
  }

  function note(root, words) {
    const place = root.closest(".panel")?.querySelector("[data-axis-note]");
    if (!place) return;
    place.hidden = !words;
    place.textContent = words;
  }

  // Marks nearer than this many pixels are one: lines close together are a fence nobody can read.
  const NEAR = 40;
  const MANY = { lost: "losses", back: "returns", role: "role changes", failed: "failures", search: "searches" };
  function gathered(list, place, near) {
    const groups = [];
    for (const mark of [...list].sort((a, b) => a.at - b.at)) {
      const x = place(mark);
      const last = groups.at(-1);
      if (last && x - last.x < near) last.words.push(mark.word);
      else groups.push({ x, words: [mark.word] });
    }
    return groups.map(({ x, words }) => ({ x, word: named(words) }));
  }

  // A restart is lost and back as well: only the restart is counted.
  function named(words) {
    const restarts = words.filter((word) => word === "restart");
    const rest = words.filter((word) => !["restart", "lost", "back"].includes(word));
    const told = restarts.length && !rest.length ? restarts : words;
    if (told.length === 1) return told[0];
    const isOne = told.every((word) => word === told[0]);
    return `${told.length} ${isOne ? MANY[told[0]] || `${told[0]}s` : "events"}`;
  }

  function marks(plot, list, ink, dim) {
    const { ctx, bbox } = plot;
    const [from, to] = [plot.scales.x.min, plot.scales.x.max];
    ctx.save();
    ctx.strokeStyle = dim;
    ctx.fillStyle = ink;
    ctx.font = `${11 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "left";
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    let edge = -1;
    const shown = list.filter(({ at }) => at >= from && at <= to);
    const place = ({ at }) => Math.round(plot.valToPos(at, "x", true));
    for (const { x, word } of gathered(shown, place, NEAR * devicePixelRatio)) {
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const width = ctx.measureText(word).width;
      const isLast = x + width + 6 > bbox.left + bbox.width;
      if (x > edge) ctx.fillText(word, isLast ? x - width - 5 : x + 5, bbox.top + 11 * devicePixelRatio);
      edge = x + width + 8;
    }
    ctx.restore();
  }

  const pad = (number) => String(number).padStart(2, "0");
  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  function hours(_, splits, __, ___, gap) {
    return splits.map((at) => {
      const time = new Date(at * 1000);
      const day = `${time.getUTCDate()} ${MONTHS[time.getUTCMonth()]}`;
      if (gap >= 86400) return day;
      const hour = `${pad(time.getUTCHours())}:${pad(time.getUTCMinutes())}`;
      return hour === "00:00" ? day : gap < 60 ? `${hour}:${pad(time.getUTCSeconds())}` : hour;
    });
  }

  function make(host, data) {
    const name = host.dataset.plot;
    const unit = host.dataset.unit;
    const lines = host.dataset.lines.trim().split(/\s+/).map((one) => one.split(":"));
    const [grid, text, ink] = ["--line", "--ink-3", "--ink-2"].map(resolved);
    const axis = {
      stroke: text,
      font: `11px ${getComputedStyle(document.body).fontFamily}`,
      grid: { stroke: grid, width: 1 },
      ticks: { show: false },
    };
    const plot = new uPlot({
      width: host.clientWidth - 8,
      height: host.clientHeight - 8,
      legend: { show: false },
      padding: [10, 22, 0, 0],
      cursor: { points: { size: 6 }, drag: { x: false, y: false }, sync: { key: "overview", setSeries: false } },
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      scales: { x: { time: true, range: (_, low, high) => [high - data.seconds + data.step, high] }, y: { range: bounds(unit, name) } },
      hooks: {
        draw: [(self) => marks(self, data.marks, ink, text)],
        setCursor: [(self) => values(self, host, lines, unit)],
      },
      axes: [
        { ...axis, size: 26, grid: { show: false }, space: 76, values: hours },
        { ...axis, size: 66, space: 30, incrs: unit.startsWith("bytes") ? POWERS : undefined, values: (_, ticks) => ticks.map((tick) => UNITS[unit](tick)) },
      ],
      series: [
        {},
        ...lines.map(([field, style]) => ({
          label: field,
          stroke: resolved(`--s${style}`),
          width: 1.5,
          dash: style === "0" ? [5, 5] : undefined,
          // A point between two gaps would not be seen as a line.
          points: { show: false, filter: lonely, size: 4, fill: resolved(`--s${style}`) },
        })),
      ],
    }, columns(data, lines), host);
    host.querySelector(".still")?.remove();
    return { plot, host, lines, unit };
  }

  // uPlot is told to show no points, and yet draws those that the filter names.
  function lonely(plot, series) {
    const found = plot.data[series];
    return found.flatMap((value, at) => (value != null && found[at - 1] == null && found[at + 1] == null ? [at] : []));
  }

  const columns = (data, lines) => [data.times, ...lines.map(([field]) => data.columns[field])];

  function values(plot, host, lines, unit) {
    const at = plot.cursor.idx;
    const panel = host.closest(".panel");
    lines.forEach(([field], index) => {
      const place = panel.querySelector(`[data-value="${field}"]`);
      const value = at == null ? null : plot.data[index + 1][at];
      if (place) place.textContent = value == null ? "" : UNITS[unit](value);
    });
  }

  // Of a page with several data, each within a root of its own, the first draws all anew.
  function draw(data, root = document, isFirst = true) {
    if (isFirst) {
      for (const { plot } of drawn.values()) plot.destroy();
      drawn.clear();
    }
    for (const host of root.querySelectorAll("[data-plot]")) drawn.set(host.dataset.plot, make(host, data));
  }

  function update(data) {
    for (const { plot, lines } of drawn.values()) plot.setData(columns(data, lines));
  }

  function fit() {
    for (const { plot, host } of drawn.values())
      plot.setSize({ width: host.clientWidth - 8, height: host.clientHeight - 8 });
  }

  // Plots are as wide as their place, and have the colours of the theme of now: whoever draws them
  // gives how to draw them anew.
  const keep = (redraw) => {
    let resizing = 0;
    window.addEventListener("resize", () => {
      cancelAnimationFrame(resizing);
      resizing = requestAnimationFrame(fit);
    });
    new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  };

  window.RedisopsPlots = { draw, update, fit, keep, gathered, lonely, units: UNITS };
})();

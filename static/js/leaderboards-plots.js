/* Draws how scores are distributed, and the best over time, with uPlot. Without this file the first
   is bars in the page, and the second a list. */
(() => {
  "use strict";
  const resolved = (name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const number = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 2, notation: Math.abs(value) >= 1e5 ? "compact" : "standard" });
  const drawn = [];

  function axis(more) {
    return {
      stroke: resolved("--ink-3"),
      font: `11px ${getComputedStyle(document.body).fontFamily}`,
      grid: { stroke: resolved("--line"), width: 1 },
      ticks: { show: false },
      ...more,
    };
  }
  const put = (host, name, text) => {
    const place = host.closest(".panel").querySelector(`[data-value="${name}"]`);
    if (place) place.textContent = text;
  };
  const size = (host) => ({ width: host.clientWidth - 8, height: host.clientHeight - 8 });

  // Members are counted: between two of them is nothing to mark.
  const WHOLE = Array.from({ length: 10 }, (_, n) => [1, 2, 5].map((step) => step * 10 ** n)).flat();

  function distribution(host) {
    const { low, edges, counts, shares } = JSON.parse(host.dataset.points);
    const bars = uPlot.paths.bars({ size: [0.9], align: -1 });
    host.querySelector("svg")?.remove();
    return new uPlot({
      ...size(host),
      legend: { show: false },
      padding: [10, 4, 0, 0],
      cursor: { points: { size: 6 }, drag: { x: false, y: false } },
      scales: { x: { time: false, range: [low, edges.at(-1)] }, y: { range: (_, __, high) => [0, (high || 1) * 1.08] }, share: { range: [0, 100] } },
      axes: [
        axis({ size: 26, grid: { show: false }, space: 76, values: (_, ticks) => ticks.map(number) }),
        axis({ size: 58, space: 30, incrs: WHOLE, values: (_, ticks) => ticks.map(number) }),
        axis({ size: 44, side: 1, scale: "share", grid: { show: false }, values: (_, ticks) => ticks.map((tick) => `${tick}%`) }),
      ],
      series: [
        {},
        { stroke: resolved("--s1"), fill: resolved("--accent-soft"), width: 1, paths: bars, points: { show: false } },
        { stroke: resolved("--s2"), width: 1.5, scale: "share", points: { show: false } },
      ],
      hooks: {
        setCursor: [(self) => {
          const at = self.cursor.idx;
          put(host, "members", at == null ? "" : number(counts[at]));
          put(host, "share", at == null ? "" : shares[at].toFixed(1));
          put(host, "score", at == null ? "" : `up to ${number(edges[at])}`);
        }],
      },
    }, [edges, counts, shares], host);
  }

  const pad = (value) => String(value).padStart(2, "0");
  function history(host) {
    const { times, columns } = JSON.parse(host.dataset.points);
    const short = times.at(-1) - times[0] < 86400;
    return new uPlot({
      ...size(host),
      legend: { show: false },
      padding: [10, 22, 0, 0],
      cursor: { points: { size: 6 }, drag: { x: false, y: false } },
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      // One look has no width: ten minutes on each side of it.
      scales: { x: { time: true, ...(times.length < 2 && { range: [times[0] - 600, times[0] + 600] }) } },
      axes: [
        axis({ size: 26, grid: { show: false }, space: 76, values: (_, ticks) => ticks.map((tick) => {
          const at = new Date(tick * 1000);
          const hour = `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}`;
          return short ? hour : `${at.getUTCDate()}.${at.getUTCMonth() + 1}. ${hour}`;
        }) }),
        axis({ size: 64, space: 30, values: (_, ticks) => ticks.map(number) }),
      ],
      series: [{}, ...columns.map((_, at) => ({
        stroke: resolved(`--s${(at % 3) + 1}`),
        width: 1.5,
        dash: at < 3 ? undefined : [6, 4],
        // A line of one or two points would not be seen.
        points: { show: columns[at].filter((value) => value !== null).length < 3, size: 5 },
      }))],
      hooks: {
        setCursor: [(self) => columns.forEach((column, line) => {
          const value = self.cursor.idx == null ? null : column[self.cursor.idx];
          put(host, String(line), value == null ? "" : number(value));
        })],
      },
    }, [times, ...columns], host);
  }

  function draw() {
    for (const { plot } of drawn.splice(0)) plot.destroy();
    for (const host of document.querySelectorAll("[data-distribution]")) drawn.push({ host, plot: distribution(host) });
    for (const host of document.querySelectorAll("[data-history]")) if (host.dataset.points) drawn.push({ host, plot: history(host) });
  }

  document.addEventListener("DOMContentLoaded", () => {
    draw();
    let waiting = 0;
    window.addEventListener("resize", () => {
      cancelAnimationFrame(waiting);
      waiting = requestAnimationFrame(() => { for (const { host, plot } of drawn) plot.setSize(size(host)); });
    });
    new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  });
})();

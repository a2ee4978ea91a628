// Charts with a cursor, drawn over the picture that the server made; without uPlot that picture stays.
{
  const HEIGHT = 86;
  const COLOURS = { bar: "--bar", now: "--bar-now", mark: "--link", soft: "--soft", line: "--line" };
  const drawn = new Map(); // plots by their place in the page
  let colours = {};

  // A property is a pair for light and dark: what it is now, only an element can say.
  function readColours() {
    const probe = document.createElement("i");
    probe.className = "probe";
    document.body.append(probe);
    for (const [name, property] of Object.entries(COLOURS)) {
      probe.dataset.colour = name;
      colours[name] = getComputedStyle(probe).color || getComputedStyle(root).getPropertyValue(property);
    }
    probe.remove();
  }

  const marksOf = place => [...place.querySelectorAll(".marks li[data-at]")].map(mark => ({
    at: Date.parse(mark.dataset.at) / 1000, name: mark.querySelector("b")?.textContent ?? "",
  }));

  function readData(place) {
    const counts = place.dataset.counts.split(",").map(Number);
    const start = Date.parse(place.dataset.start) / 1000, step = Number(place.dataset.step);
    const newest = counts.length - Number(place.dataset.recent ?? 0);
    return { counts, step, newest, times: counts.map((_, index) => start + index * step), marks: marksOf(place) };
  }

  // Times stand in the zone that the server writes them in.
  const zoneShown = () => root.dataset.zone || "UTC";
  const clock = (moment, options) => new Intl.DateTimeFormat("en-GB", { timeZone: zoneShown(), ...options }).format(moment * 1000);

  function wordsAt(data, index) {
    const isDay = data.step >= 86400;
    const day = clock(data.times[index], { weekday: "short", day: "numeric", month: "short" });
    const hour = { hour: "2-digit", minute: "2-digit" };
    const when = isDay ? day : `${day}, ${clock(data.times[index], hour)} to ${clock(data.times[index] + data.step, hour)}`;
    const count = data.counts[index];
    const marks = data.marks.filter(mark => mark.at >= data.times[index] && mark.at < data.times[index] + data.step);
    return `${when}: ${count.toLocaleString("en")} event${count === 1 ? "" : "s"}${marks.map(mark => `, ${mark.name} began`).join("")}`;
  }

  function drawMarks(plot, data) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colours.mark;
    ctx.setLineDash([4, 4]);
    for (const mark of data.marks) {
      const x = Math.round(plot.valToPos(mark.at, "x", true)) + .5;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  function optionsOf(place, data) {
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: () => colours.soft, font, ticks: { show: false }, grid: { stroke: () => colours.line, width: 1 } };
    const end = data.times.at(-1) + data.step;
    return {
      width: Math.max(120, place.clientWidth), height: HEIGHT, legend: { show: false }, padding: [6, 4, 0, 0],
      tzDate: moment => uPlot.tzDate(new Date(moment * 1000), zoneShown()),
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { range: () => [data.times[0], end] }, y: { range: (_, low, high) => [0, Math.max(1, high)] } },
      axes: [
        { ...axis, grid: { show: false }, size: 18, gap: 2, space: 70, values: (_, moments) => moments.map(at => labelAt(data, at)) },
        { ...axis, size: 34, gap: 2, space: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 2e4, 5e4, 1e5, 1e6, 1e7, 1e8], values: (_, counts) => counts.map(count => (count ? short(count) : "")) },
      ],
      series: [{}, bars("bar"), bars("now")],
      hooks: { draw: [plot => drawMarks(plot, data)], setCursor: [plot => read(place, data, plot.cursor.idx)] },
    };
  }

  const bars = name => ({ fill: () => colours[name], width: 0, paths: uPlot.paths.bars({ size: [.85, 100], align: 1 }), points: { show: false } });
  const short = count => (count >= 1000 ? new Intl.NumberFormat("en", { notation: "compact" }).format(count) : String(count));
  const labelAt = (data, at) => (data.times.length * data.step > 2 * 86400 ? clock(at, { day: "numeric", month: "short" }) : clock(at, { hour: "2-digit", minute: "2-digit" }));

  function read(place, data, index) {
    const legend = place.querySelector(".reading");
    if (!legend) return;
    const isOn = index !== null && index !== undefined && index >= 0;
    legend.textContent = isOn ? wordsAt(data, index) : "";
    const plot = drawn.get(place)?.root;
    if (!plot || !isOn) return;
    plot.setAttribute("aria-valuenow", index);
    plot.setAttribute("aria-valuetext", wordsAt(data, index));
  }

  // By keyboard it is a slider over the hours, which every reader of screens knows how to read aloud.
  function letKeysMove(place, plot, data) {
    const last = data.counts.length - 1;
    const slider = plot.root;
    const label = place.querySelector("svg")?.getAttribute("aria-label") ?? "Events by hour";
    const given = { role: "slider", tabindex: 0, "aria-label": label, "aria-valuemin": 0, "aria-valuemax": last, "aria-valuenow": last, "aria-valuetext": wordsAt(data, last) };
    for (const [name, value] of Object.entries(given)) slider.setAttribute(name, value);
    slider.addEventListener("keydown", event => {
      const at = plot.cursor.idx ?? last;
      const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      point(plot, data, Math.min(last, Math.max(0, to)));
    });
    slider.addEventListener("focus", () => point(plot, data, plot.cursor.idx ?? last));
  }

  function point(plot, data, index) {
    plot.setCursor({ left: plot.valToPos(data.times[index] + data.step / 2, "x"), top: 1 });
  }

  // The newest bars have a colour of their own, and so a series.
  function columnsOf({ times, counts, newest }) {
    const only = isIn => counts.map((count, index) => (isIn(index) ? count : null));
    return [times, only(index => index < newest), only(index => index >= newest)];
  }

  function draw(place) {
    const data = readData(place);
    if (data.counts.length < 2 || data.counts.some(Number.isNaN)) return;
    place.classList.add("drawn");
    const legend = document.createElement("p");
    legend.className = "reading";
    legend.setAttribute("aria-hidden", "true");
    const plot = new uPlot(optionsOf(place, data), columnsOf(data), (plot, ready) => { place.querySelector("svg").before(plot.root); ready(); });
    plot.root.after(legend);
    drawn.set(place, plot);
    letKeysMove(place, plot, data);
    sizes.observe(place);
  }

  const sizes = new ResizeObserver(entries => {
    for (const { target } of entries) {
      const plot = drawn.get(target), width = Math.max(120, target.clientWidth);
      if (plot && plot.width !== width) plot.setSize({ width, height: HEIGHT });
    }
  });

  // What was laid over the page may have taken a plot away, or given its place other figures.
  function drawAll() {
    if (!window.uPlot) return;
    readColours();
    for (const [place, plot] of drawn) {
      plot.destroy();
      place.querySelector(".reading")?.remove();
      sizes.unobserve(place);
    }
    drawn.clear();
    for (const place of document.querySelectorAll("[data-chart]")) draw(place);
  }

  function redraw() {
    readColours();
    for (const plot of drawn.values()) plot.redraw(false);
  }

  addEventListener("DOMContentLoaded", drawAll);
  document.addEventListener("faultwire:shown", drawAll);
  new MutationObserver(redraw).observe(root, { attributeFilter: ["data-theme"] });
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) matchMedia(query).addEventListener("change", redraw);
}

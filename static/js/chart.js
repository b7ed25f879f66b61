// A small chart: lines over time in SVG, a cursor with a tooltip, and a flag where the configuration changed. Data: charts.Chart, as JSON beside it.
const NS = "http://www.w3.org/2000/svg";
const HEIGHT = 150;
const LEFT = 46;
const BOTTOM = 20;
const TOP = 8;

function make(name, attributes = {}, ...children) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const round = (v) => (v === 0 ? "0" : Math.abs(v) < 0.01 ? "<0.01" : Math.abs(v) < 10 ? String(+v.toFixed(2)) : Math.abs(v) < 100 ? String(+v.toFixed(1)) : Math.round(v).toLocaleString("en"));
export const formats = {
  rate: (v) => (v >= 1e4 ? `${round(v / 1e3)}k` : round(v)),
  percent: (v) => `${+(v * 100).toFixed(v && v < 0.01 ? 2 : 1)} %`,
  ms: (v) => (v < 10 ? `${+v.toFixed(1)} ms` : v < 1000 ? `${Math.round(v)} ms` : `${+(v / 1000).toFixed(2)} s`),
  bytes: (v) => (v >= 1 << 20 ? `${round(v / (1 << 20))} MiB` : v >= 1024 ? `${round(v / 1024)} KiB` : `${round(v)} B`),
};

// 1, 2 or 5 times a power of ten.
function niceTop(value, unit) {
  if (!(value > 0)) return unit === "percent" ? 0.05 : 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((m) => m * power).find((m) => m >= value * 1.02) ?? 10 * power;
}

function clock(seconds, span) {
  const d = new Date(seconds * 1000);
  const time = d.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...(span <= 300 ? { second: "2-digit" } : {}) });
  return span > 36 * 3600 ? d.toLocaleDateString("en-GB", { day: "numeric", month: "short" }) + (span < 4 * 86400 ? ` ${time}` : "") : time;
}

export default function start(figure) {
  const plot = figure.querySelector(".plot");
  const legend = figure.querySelector(".legend");
  plot.setAttribute("data-keep", "");
  legend.setAttribute("data-keep", "");
  let said = null;
  let data = null;
  let tip = null;

  function read() {
    const text = figure.querySelector('script[type="application/json"]').textContent;
    if (text === said) return false;
    said = text;
    data = JSON.parse(text);
    return true;
  }

  function draw() {
    const width = plot.clientWidth;
    const height = plot.clientHeight || HEIGHT;
    if (!width) return;
    const unit = figure.dataset.unit || "rate";
    const say = formats[unit] ?? formats.rate;
    const count = Math.max(2, ...data.series.map((s) => s.points.length));
    const span = (count - 1) * data.step;
    const top = niceTop(Math.max(0, ...data.series.flatMap((s) => s.points.filter((p) => p !== null))), unit);
    const x = (i) => LEFT + (i / (count - 1)) * (width - LEFT - 4);
    const y = (v) => TOP + (1 - v / top) * (height - TOP - BOTTOM);
    const empty = !data.series.some((s) => s.points.some((p) => p !== null));

    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${figure.dataset.title}: ${data.series.map((s) => `${s.name} ${lastOf(s, say)}`).join(", ") || "no data"}` });
    for (const part of [0, 0.5, 1]) {
      const at = y(top * part);
      svg.append(make("line", { class: part ? "grid-line" : "base-line", x1: LEFT, x2: width - 4, y1: at, y2: at }));
      const label = make("text", { x: LEFT - 8, y: at + 3.5, "text-anchor": "end" });
      label.textContent = say(top * part);
      svg.append(label);
    }
    const ticks = Math.max(2, Math.min(6, Math.floor(width / 110)));
    for (let t = 0; t < ticks; t++) {
      const i = (t / (ticks - 1)) * (count - 1);
      const label = make("text", { x: x(i), y: height - 4, "text-anchor": t === 0 ? "start" : t === ticks - 1 ? "end" : "middle" });
      label.textContent = clock(data.start + i * data.step, span);
      svg.append(label);
    }
    data.series.forEach((series, n) => {
      const tone = series.tone || n + 1;
      for (const piece of pieces(series.points)) {
        const line = piece.map(([i, v]) => `${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("L");
        if (piece.length === 1) {
          svg.append(make("circle", { class: `a${tone}`, cx: x(piece[0][0]), cy: y(piece[0][1]), r: 2 }));
          continue;
        }
        if (data.series.length === 1 || series.fill) svg.append(make("path", { class: `area a${tone}`, d: `M${line}L${x(piece.at(-1)[0])} ${y(0)}L${x(piece[0][0])} ${y(0)}Z` }));
        svg.append(make("path", { class: `line s${tone}`, d: `M${line}` }));
      }
    });
    for (const marker of data.markers ?? []) {
      const i = (marker.at - data.start) / data.step;
      if (i < 0 || i > count - 1) continue;
      const link = make("a", { href: marker.url });
      const title = make("title");
      title.textContent = marker.label;
      link.append(make("line", { class: "marker", x1: x(i), x2: x(i), y1: TOP, y2: y(0) }), make("path", { class: "marker-flag", d: `M${x(i)} ${TOP}l7 3.5l-7 3.5z` }), title);
      svg.append(link);
    }
    if (empty) {
      const none = make("text", { x: (LEFT + width) / 2, y: height / 2, "text-anchor": "middle" });
      none.textContent = "No data in this time range";
      svg.append(none);
    }
    const cursor = make("line", { class: "cursor", y1: TOP, y2: y(0), visibility: "hidden" });
    svg.append(cursor);
    plot.replaceChildren(svg);

    legend.replaceChildren();
    if (data.series.length > 1) {
      data.series.forEach((s, n) => {
        const item = document.createElement("span");
        const mark = document.createElement("i");
        mark.className = `k${s.tone || n + 1}`;
        item.append(mark, `${s.name}`);
        legend.append(item);
      });
    }

    svg.onpointermove = (event) => {
      if (empty) return;
      const box = svg.getBoundingClientRect();
      const i = Math.round(((event.clientX - box.left - LEFT) / (width - LEFT - 4)) * (count - 1));
      if (i < 0 || i >= count) return hide();
      cursor.setAttribute("x1", x(i));
      cursor.setAttribute("x2", x(i));
      cursor.setAttribute("visibility", "visible");
      tip ??= figure.appendChild(Object.assign(document.createElement("div"), { className: "tip" }));
      tip.setAttribute("data-keep", "");
      tip.replaceChildren(Object.assign(document.createElement("div"), { className: "when", textContent: clock(data.start + i * data.step, Math.min(span, 300)) }));
      data.series.forEach((s, n) => {
        const pair = Object.assign(document.createElement("div"), { className: "pair legend" });
        const name = document.createElement("span");
        name.append(Object.assign(document.createElement("i"), { className: `k${s.tone || n + 1}` }), s.name);
        const v = s.points[i];
        pair.append(name, Object.assign(document.createElement("b"), { textContent: v === null || v === undefined ? "–" : say(v) }));
        tip.append(pair);
      });
      const left = x(i) + 12 + tip.offsetWidth > width ? x(i) - 12 - tip.offsetWidth : x(i) + 12;
      tip.style.transform = `translate(${left}px, 6px)`;
    };
    const hide = () => {
      cursor.setAttribute("visibility", "hidden");
      tip?.remove();
      tip = null;
    };
    svg.onpointerleave = hide;
  }

  function pieces(points) {
    const found = [];
    let piece = [];
    points.forEach((v, i) => {
      if (v === null) {
        if (piece.length) found.push(piece);
        piece = [];
      } else piece.push([i, v]);
    });
    if (piece.length) found.push(piece);
    return found;
  }
  function lastOf(series, say) {
    const last = series.points.findLast((p) => p !== null);
    return last === undefined || last === null ? "no data" : say(last);
  }

  read();
  draw();
  const watch = new ResizeObserver(() => draw());
  watch.observe(plot);
  return {
    update: () => read() && draw(),
    stop: () => watch.disconnect(),
  };
}

// What is drawn over the graph: the cards of nodes, the names of boxes, the labels of edges with lock and warning, and the traffic that runs along them.
import { drawIcon, fit, HEIGHT, look, picture, WIDTH } from "./card.js";
import { busy, labelOf, tone } from "./words.js";

const FRAME = 1000 / 30;

// A drawn edge as short straight pieces with their lengths, in the graph's own coordinates.
export function trace(edge) {
  const from = edge.sourceEndpoint();
  const to = edge.targetEndpoint();
  if (!from || !to || Number.isNaN(from.x)) return null;
  const controls = edge.controlPoints() ?? [];
  const points = [from];
  if (!controls.length) points.push(to);
  else {
    let start = from;
    controls.forEach((control, i) => {
      const end = i === controls.length - 1 ? to : { x: (control.x + controls[i + 1].x) / 2, y: (control.y + controls[i + 1].y) / 2 };
      for (let t = 1; t <= 10; t++) {
        const u = t / 10;
        points.push({ x: (1 - u) ** 2 * start.x + 2 * (1 - u) * u * control.x + u * u * end.x, y: (1 - u) ** 2 * start.y + 2 * (1 - u) * u * control.y + u * u * end.y });
      }
      start = end;
    });
  }
  const lengths = [0];
  for (let i = 1; i < points.length; i++) lengths.push(lengths[i - 1] + Math.hypot(points[i].x - points[i - 1].x, points[i].y - points[i - 1].y));
  return { points, lengths, total: lengths.at(-1) };
}

export function along(path, distance) {
  let i = 1;
  while (i < path.lengths.length - 1 && path.lengths[i] < distance) i++;
  const span = path.lengths[i] - path.lengths[i - 1] || 1;
  const t = Math.max(0, Math.min(1, (distance - path.lengths[i - 1]) / span));
  const a = path.points[i - 1];
  const b = path.points[i];
  return { x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t };
}

export class Overlay {
  constructor(stage, graph) {
    this.graph = graph; // {cy, model, colors(), options()}
    this.labels = document.createElement("canvas");
    this.traffic = document.createElement("canvas");
    for (const [canvas, name] of [[this.traffic, "traffic"], [this.labels, "labels"]]) {
      canvas.className = `topo-overlay ${name}`;
      canvas.setAttribute("aria-hidden", "true");
      stage.append(canvas);
    }
    this.paths = new Map();
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.size();
    this.watch = new ResizeObserver(() => this.size());
    this.watch.observe(stage);
    this.last = 0;
    const tick = (now) => {
      this.frame = requestAnimationFrame(tick);
      if (now - this.last < FRAME) return;
      const elapsed = Math.min(100, now - this.last);
      this.last = now;
      this.run(elapsed, now);
    };
    this.frame = requestAnimationFrame(tick);
  }

  size() {
    const stage = this.labels.parentElement;
    const ratio = Math.min(2, devicePixelRatio || 1);
    for (const canvas of [this.labels, this.traffic]) {
      canvas.width = stage.clientWidth * ratio;
      canvas.height = stage.clientHeight * ratio;
    }
    this.ratio = ratio;
    this.moved();
  }

  // Positions, pan or zoom changed.
  moved() {
    this.paths.clear();
    this.draw();
  }

  path(edge) {
    const id = edge.id();
    if (!this.paths.has(id)) this.paths.set(id, trace(edge));
    return this.paths.get(id);
  }

  prepare(canvas) {
    const c = canvas.getContext("2d");
    const { cy } = this.graph;
    const pan = cy.pan();
    const zoom = cy.zoom();
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, canvas.width, canvas.height);
    c.setTransform(zoom * this.ratio, 0, 0, zoom * this.ratio, pan.x * this.ratio, pan.y * this.ratio);
    return c;
  }

  draw() {
    paint(this.prepare(this.labels), this.graph, (edge) => this.path(edge), this.graph.cy.zoom());
  }

  run(elapsed, now) {
    const { cy, model, colors, options } = this.graph;
    const moving = options().motion && !this.still.matches && !document.hidden && options().live;
    if (!moving) {
      if (this.drew) this.prepare(this.traffic);
      this.drew = false;
      return;
    }
    this.drew = true;
    const c = this.prepare(this.traffic);
    const palette = colors();
    if (cy.zoom() < 0.25) return;
    cy.edges(":visible").forEach((edge) => {
      const data = model.edges.get(edge.id());
      if (!data || data.ghost || !busy(data) || edge.hasClass("faded")) return;
      const path = this.path(edge);
      if (!path || path.total < 8) return;
      // More dots for more requests, faster ones for faster answers.
      const dots = Math.max(1, Math.min(14, Math.round(1.2 * Math.log2(1 + data.rate * 2) * (path.total / 160))));
      const seconds = Math.max(1.4, Math.min(7, 1.6 + Math.log10(1 + (data.p95 ?? 10)) * 1.1)) * Math.max(0.7, path.total / 220);
      const phase = (now / 1000 / seconds) % 1;
      const bad = Math.round(dots * data.errorShare + (data.errorShare > 0 ? 0.5 : 0));
      const color = { good: palette.goodMark, warn: palette.warnMark, bad: palette.badMark, tcp: palette.tcpMark }[tone(data)] ?? palette.idleMark;
      for (let i = 0; i < dots; i++) {
        const at = along(path, ((phase + i / dots) % 1) * path.total);
        const failed = i < bad;
        c.beginPath();
        if (failed) {
          c.moveTo(at.x, at.y - 4.2);
          c.lineTo(at.x + 4.2, at.y);
          c.lineTo(at.x, at.y + 4.2);
          c.lineTo(at.x - 4.2, at.y);
          c.closePath();
        } else c.arc(at.x, at.y, 2.7, 0, Math.PI * 2);
        c.fillStyle = failed ? palette.badMark : color;
        c.fill();
        c.lineWidth = 1.1;
        c.strokeStyle = palette.surface;
        c.stroke();
      }
    });
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.watch.disconnect();
  }
}

// Cards, labels and box names, on any canvas: the page's, or that of an export.
export function paint(c, graph, pathOf, zoom) {
  const { cy, model, colors, options } = graph;
  const palette = colors();
  c.textBaseline = "middle";
  cy.nodes(".box:visible").forEach((box) => {
    const data = model.boxes.get(box.id());
    if (!data || !box.children(":visible").length) return;
    const b = box.boundingBox({ includeLabels: false, includeOverlays: false });
    c.font = "560 11.5px Inter, system-ui, sans-serif";
    const width = c.measureText(data.name).width + 30;
    const x = b.x1 + 14;
    const y = b.y1 + 1;
    c.beginPath();
    c.roundRect(x, y - 11, width, 22, 7);
    c.fillStyle = palette.surface;
    c.fill();
    c.strokeStyle = palette.line;
    c.lineWidth = 1;
    c.stroke();
    drawIcon(c, data.kind === "namespace" ? "layers" : "boxes", x + 7, y - 6, 12, palette.ink3, 2);
    c.fillStyle = palette.ink2;
    c.fillText(data.name, x + 23, y + 0.5);
  });
  const theme = document.documentElement.dataset.theme;
  const fine = c.getTransform().a; // device pixels per unit of the graph
  c.imageSmoothingQuality = "high";
  cy.nodes(":visible").not(".box").forEach((node) => {
    const data = model.nodes.get(node.id());
    if (!data) return;
    const { x, y } = node.position();
    c.globalAlpha = node.hasClass("faded") ? 0.3 : data.ghost ? 0.45 : 1;
    if (zoom >= 0.3) c.drawImage(picture(data, theme, palette, fine), x - WIDTH / 2, y - HEIGHT / 2, WIDTH, HEIGHT);
    else far(c, data, palette, x, y, zoom);
  });
  c.globalAlpha = 1;
  if (zoom < 0.42) return;
  const { label, locks, compared } = options();
  cy.edges(":visible").forEach((edge) => {
    const data = model.edges.get(edge.id());
    if (!data || edge.hasClass("faded")) return;
    const text = compared?.label(data) ?? labelOf(data, label);
    const kind = compared?.tone(data) ?? tone(data);
    if (kind === "same") return;
    const lock = locks && !compared?.on && data.mtlsShare !== null && busy(data) ? (data.mtlsShare >= 0.9999 ? "lock" : "lock-open") : "";
    const warn = kind === "bad" ? "octagon-alert" : kind === "warn" ? "triangle-alert" : "";
    if (!text && !lock && !warn) return;
    const path = pathOf(edge);
    if (!path || path.total < 30) return;
    const at = along(path, path.total * 0.5);
    c.font = "560 11px Inter, system-ui, sans-serif";
    const textWidth = text ? c.measureText(text).width : 0;
    const icons = (lock ? 13 : 0) + (warn ? 14 : 0);
    const width = textWidth + icons + (text && icons ? 2 : 0) + 12;
    const x = at.x - width / 2;
    c.beginPath();
    c.roundRect(x, at.y - 9.5, width, 19, 6);
    c.fillStyle = kind === "bad" ? palette.badSoft : kind === "warn" ? palette.warnSoft : palette.surface;
    c.fill();
    c.lineWidth = edge.selected() || edge.hasClass("found") ? 1.5 : 1;
    c.strokeStyle = edge.selected() ? palette.accent : kind === "bad" ? palette.badMark : kind === "warn" ? palette.warnMark : palette.line;
    c.stroke();
    let left = x + 6;
    if (warn) {
      drawIcon(c, warn, left, at.y - 5.5, 11, kind === "bad" ? palette.bad : palette.warn, 2.4);
      left += 14;
    }
    if (lock) {
      drawIcon(c, lock, left, at.y - 5.5, 10.5, lock === "lock" ? palette.ink3 : palette.warn, 2.4);
      left += 13;
    }
    c.fillStyle = kind === "bad" ? palette.bad : kind === "warn" ? palette.warn : palette.ink2;
    c.fillText(text, left + (icons && text ? 1 : 0), at.y + 0.5);
  });
}

// From far away a card is a plate in the colour of its health, with the name as large as it can be.
function far(c, data, palette, x, y, zoom) {
  const { fore, back, border } = look(data, palette);
  c.beginPath();
  c.roundRect(x - WIDTH / 2 + 6, y - HEIGHT / 2 + 6, WIDTH - 12, HEIGHT - 12, 10);
  c.fillStyle = back;
  c.fill();
  c.lineWidth = Math.min(5, 1 / zoom);
  c.strokeStyle = border;
  c.stroke();
  if (zoom < 0.1) return;
  c.font = "600 25px Inter, system-ui, sans-serif";
  c.fillStyle = fore;
  c.textAlign = "center";
  c.fillText(fit(c, data.label, WIDTH - 26), x, y + 1);
  c.textAlign = "left";
}

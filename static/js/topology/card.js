// A node's picture: a small card with icon, name, version, health and badges. Drawn on a canvas of its own, so that it has the page's fonts.
import { BADGES, HEALTH, icon, sub, title } from "./words.js";

export const WIDTH = 172;
export const HEIGHT = 62;
const INSET = 6;

let shapes = null;

// The sprite's icons as paths.
export async function loadIcons() {
  if (shapes) return;
  const text = await (await fetch(document.body.dataset.icons)).text();
  const sprite = new DOMParser().parseFromString(text, "image/svg+xml");
  shapes = new Map();
  for (const symbol of sprite.querySelectorAll("symbol")) {
    const path = new Path2D();
    for (const e of symbol.children) {
      const n = (name) => Number(e.getAttribute(name) ?? 0);
      const one = new Path2D(e.tagName === "path" ? e.getAttribute("d") : undefined);
      if (e.tagName === "circle") one.arc(n("cx"), n("cy"), n("r"), 0, Math.PI * 2);
      else if (e.tagName === "ellipse") one.ellipse(n("cx"), n("cy"), n("rx"), n("ry"), 0, 0, Math.PI * 2);
      else if (e.tagName === "rect") one.roundRect(n("x"), n("y"), n("width"), n("height"), n("rx"));
      else if (e.tagName === "line") {
        one.moveTo(n("x1"), n("y1"));
        one.lineTo(n("x2"), n("y2"));
      } else if (e.tagName === "polyline" || e.tagName === "polygon") {
        const p = e.getAttribute("points").trim().split(/[\s,]+/).map(Number);
        for (let i = 0; i < p.length; i += 2) one[i ? "lineTo" : "moveTo"](p[i], p[i + 1]);
        if (e.tagName === "polygon") one.closePath();
      }
      path.addPath(one);
    }
    shapes.set(symbol.id, { path, markup: symbol.innerHTML });
  }
}

export const markup = (name) => shapes?.get(name)?.markup ?? "";

export function drawIcon(context, name, x, y, size, color, width = 2) {
  const shape = shapes?.get(name);
  if (!shape) return;
  context.save();
  context.translate(x, y);
  context.scale(size / 24, size / 24);
  context.strokeStyle = color;
  context.lineWidth = width;
  context.lineCap = context.lineJoin = "round";
  context.stroke(shape.path);
  context.restore();
}

// The page's colours, read from its tokens: they change with the theme.
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const names = ["ground", "surface", "raised", "sunken", "line", "line-strong", "ink", "ink-2", "ink-3", "ink-4", "accent", "accent-ink", "accent-soft", "good", "good-mark", "good-soft", "warn", "warn-mark", "warn-soft", "bad", "bad-mark", "bad-soft", "tcp-mark", "idle-mark", "hover"];
  return Object.fromEntries(names.map((n) => [n.replace(/-(\w)/g, (_, c) => c.toUpperCase()), style.getPropertyValue(`--${n}`).trim()]));
}

export function look(node, colors) {
  const health = node.health.status;
  const idle = node.flags.includes("idle") && health !== "failure";
  const fore = health === "failure" ? colors.bad : health === "degraded" || health === "notReady" ? colors.warn : idle ? colors.ink3 : colors.accentInk;
  const back = health === "failure" ? colors.badSoft : health === "degraded" || health === "notReady" ? colors.warnSoft : idle ? colors.sunken : colors.accentSoft;
  const border = health === "failure" ? colors.badMark : health === "degraded" || health === "notReady" ? colors.warnMark : colors.lineStrong;
  return { fore, back, border, idle, thick: health === "failure" || health === "degraded" };
}

export function signature(node, theme) {
  return [theme, title(node), sub(node), icon(node), node.health.status, node.flags.join(), node.badges.map((b) => b.kind).join()].join("|");
}

// Drawn over Cytoscape's empty nodes, not given to it as background images: it would hash each image's data URL at every change of style.
const cache = new Map();

// As fine as it will be seen, hardly finer: a picture that is scaled down much is blurred.
export function picture(node, theme, colors, zoom) {
  const SCALE = [1, 1.5, 2, 3].find((s) => s >= zoom) ?? 4;
  const key = `${SCALE}|${signature(node, theme)}`;
  if (cache.has(key)) return cache.get(key);
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH * SCALE;
  canvas.height = HEIGHT * SCALE;
  const c = canvas.getContext("2d");
  c.scale(SCALE, SCALE);
  const { fore, back, border, idle, thick } = look(node, colors);
  const w = WIDTH - 2 * INSET;
  const h = HEIGHT - 2 * INSET;

  c.save();
  c.shadowColor = theme === "dark" ? "rgba(0,0,0,.45)" : "rgba(20,23,31,.10)";
  c.shadowBlur = 5 * SCALE;
  c.shadowOffsetY = 1 * SCALE;
  c.beginPath();
  c.roundRect(INSET, INSET, w, h, node.kind === "service" ? h / 2 : 10);
  c.fillStyle = colors.raised;
  c.fill();
  c.restore();
  c.beginPath();
  c.roundRect(INSET + 0.5, INSET + 0.5, w - 1, h - 1, node.kind === "service" ? h / 2 : 10);
  c.strokeStyle = border;
  c.lineWidth = thick ? 1.75 : 1;
  if (idle) c.setLineDash([4, 3]);
  c.stroke();
  c.setLineDash([]);

  const left = INSET + (node.kind === "service" ? 12 : 10);
  c.beginPath();
  c.roundRect(left, INSET + 10, 30, 30, node.kind === "service" ? 15 : 8);
  c.fillStyle = back;
  c.fill();
  drawIcon(c, icon(node), left + 7, INSET + 17, 16, fore, 2);

  const textLeft = left + 39;
  const state = HEALTH[node.health.status];
  const mark = node.flags.includes("outOfSync") ? "refresh-cw" : node.flags.includes("disconnected") ? "unplug" : state.rank >= 2 ? state.icon : "";
  const room = WIDTH - INSET - 12 - textLeft - (mark ? 20 : 0);
  c.fillStyle = idle ? colors.ink2 : colors.ink;
  c.font = `600 12.5px Inter, system-ui, sans-serif`;
  c.fillText(fit(c, title(node), room), textLeft, INSET + 22);
  c.fillStyle = colors.ink3;
  c.font = `450 11px Inter, system-ui, sans-serif`;
  c.fillText(fit(c, sub(node), room), textLeft, INSET + 38);
  if (mark) drawIcon(c, mark, WIDTH - INSET - 28, INSET + 17, 16, state.rank >= 2 ? fore : colors.warnMark, 2.25);

  // Badges sit on the upper border, from the right.
  const badges = node.badges.slice(0, 5);
  badges.forEach((badge, i) => {
    const x = WIDTH - INSET - 14 - i * 17;
    c.beginPath();
    c.arc(x, INSET + 1, 7.5, 0, Math.PI * 2);
    c.fillStyle = badge.kind === "fault" ? colors.warnSoft : colors.raised;
    c.fill();
    c.strokeStyle = badge.kind === "fault" ? colors.warnMark : colors.lineStrong;
    c.lineWidth = 1;
    c.stroke();
    drawIcon(c, BADGES[badge.kind]?.[0] ?? "info", x - 4.5, INSET - 3.5, 9, badge.kind === "fault" ? colors.warn : colors.ink2, 2.4);
  });
  if (cache.size > 600) cache.clear();
  cache.set(key, canvas);
  return canvas;
}

export function fit(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > room) end--;
  return `${text.slice(0, end)}…`;
}

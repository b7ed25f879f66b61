// The graph as a file: PNG as one sees it, twice as fine; SVG with real text.
import { fit, HEIGHT, look, markup, WIDTH } from "./card.js";
import { paint, trace } from "./overlay.js";
import { HEALTH, icon, labelOf, sub, title, tone } from "./words.js";

const MARGIN = 30;

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export async function png(graph) {
  const { cy, colors } = graph;
  const box = cy.elements(":visible").boundingBox();
  const scale = Math.min(2, 8000 / Math.max(box.w, box.h));
  const image = new Image();
  image.src = cy.png({ full: true, scale, bg: colors().ground });
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.width + 2 * MARGIN * scale;
  canvas.height = image.height + 2 * MARGIN * scale;
  const c = canvas.getContext("2d");
  c.fillStyle = colors().ground;
  c.fillRect(0, 0, canvas.width, canvas.height);
  c.drawImage(image, MARGIN * scale, MARGIN * scale);
  c.setTransform(scale, 0, 0, scale, (MARGIN - box.x1) * scale, (MARGIN - box.y1) * scale);
  paint(c, graph, trace, 1);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

const esc = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const glyph = (name, x, y, size, color, width = 2) => `<g transform="translate(${x} ${y}) scale(${size / 24})" fill="none" stroke="${color}" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round">${markup(name)}</g>`;

export function svg(graph) {
  const { cy, model, colors, options } = graph;
  const palette = colors();
  const box = cy.elements(":visible").boundingBox();
  const measure = document.createElement("canvas").getContext("2d");
  const parts = [];
  cy.nodes(".box:visible").forEach((n) => {
    const data = model.boxes.get(n.id());
    const b = n.boundingBox();
    parts.push(`<rect x="${b.x1}" y="${b.y1}" width="${b.w}" height="${b.h}" rx="14" fill="${palette.ink}" fill-opacity="0.022" stroke="${palette.line}"/><text x="${b.x1 + 16}" y="${b.y1 - 6}" font-size="11.5" font-weight="560" fill="${palette.ink2}">${esc(data?.name ?? "")}</text>`);
  });
  const markers = { good: palette.goodMark, warn: palette.warnMark, bad: palette.badMark, tcp: palette.tcpMark, idle: palette.idleMark };
  const labels = [];
  cy.edges(":visible").forEach((e) => {
    const data = model.edges.get(e.id());
    const path = trace(e);
    if (!data || !path) return;
    const kind = tone(data);
    const dash = { idle: ' stroke-dasharray="3 5"', warn: ' stroke-dasharray="12 5"', bad: ' stroke-dasharray="5 4"' }[kind] ?? "";
    parts.push(`<path d="M${path.points.map((p) => `${p.x.toFixed(1)} ${p.y.toFixed(1)}`).join("L")}" fill="none" stroke="${markers[kind]}" stroke-width="${e.data("width")}"${dash} marker-end="url(#${kind})"/>`);
    const text = labelOf(data, options().label);
    if (text) {
      const mid = path.points[Math.floor(path.points.length / 2)];
      measure.font = "560 11px Inter, sans-serif";
      const width = measure.measureText(text).width + 12;
      labels.push(`<rect x="${mid.x - width / 2}" y="${mid.y - 9.5}" width="${width}" height="19" rx="6" fill="${palette.surface}" stroke="${palette.line}"/><text x="${mid.x}" y="${mid.y + 4}" text-anchor="middle" font-size="11" font-weight="560" fill="${palette.ink2}">${esc(text)}</text>`);
    }
  });
  parts.push(...labels);
  cy.nodes(":visible").not(".box").forEach((n) => {
    const data = model.nodes.get(n.id());
    if (!data) return;
    const { x, y } = n.position();
    const style = look(data, palette);
    const w = WIDTH - 12;
    const h = HEIGHT - 12;
    const left = x - w / 2;
    const top = y - h / 2;
    measure.font = "600 12.5px Inter, sans-serif";
    parts.push(`<g><title>${esc(data.label)}: ${HEALTH[data.health.status].word}</title><rect x="${left}" y="${top}" width="${w}" height="${h}" rx="${data.kind === "service" ? h / 2 : 10}" fill="${palette.raised}" stroke="${style.border}"${style.idle ? ' stroke-dasharray="4 3"' : ""}/><rect x="${left + 10}" y="${top + 10}" width="30" height="30" rx="8" fill="${style.back}"/>${glyph(icon(data), left + 17, top + 17, 16, style.fore)}<text x="${left + 49}" y="${top + 22}" font-size="12.5" font-weight="600" fill="${palette.ink}">${esc(fit(measure, title(data), 104))}</text><text x="${left + 49}" y="${top + 38}" font-size="11" fill="${palette.ink3}">${esc(sub(data))}</text></g>`);
  });
  const defs = Object.entries(markers).map(([name, color]) => `<marker id="${name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="${color}"/></marker>`).join("");
  const text = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box.x1 - MARGIN} ${box.y1 - MARGIN} ${box.w + 2 * MARGIN} ${box.h + 2 * MARGIN}" width="${box.w + 2 * MARGIN}" height="${box.h + 2 * MARGIN}" font-family="Inter, system-ui, sans-serif"><defs>${defs}</defs><rect x="${box.x1 - MARGIN}" y="${box.y1 - MARGIN}" width="100%" height="100%" fill="${palette.ground}"/>${parts.join("")}</svg>`;
  return new Blob([text], { type: "image/svg+xml" });
}

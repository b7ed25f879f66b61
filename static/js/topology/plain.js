// Places without a layout engine: for the first sight of a large graph, and for when there is no worker to lay it out.
import { HEIGHT, WIDTH } from "./card.js";

// Columns by distance from whoever is called by nobody.
export function plain(model) {
  const column = new Map([...model.nodes.keys()].map((id) => [id, 0]));
  for (let round = 0; round < 12; round++) for (const e of model.edges.values()) if (e.source !== e.target && column.get(e.target) <= column.get(e.source) && column.get(e.source) < 12) column.set(e.target, column.get(e.source) + 1);
  const rows = [];
  const positions = new Map([...column].map(([id, c]) => [id, { x: c * 260, y: (rows[c] = (rows[c] ?? 0) + 1) * 96 }]));
  return { positions, bends: new Map() };
}

// Of elements that Cytoscape has not drawn yet, and so says of that they are invisible; drawing all of them in one place first would take half a second.
export function extent(positions) {
  const [xs, ys] = [[], []];
  for (const { x, y } of positions) {
    xs.push(x);
    ys.push(y);
  }
  const [left, top] = [Math.min(...xs) - WIDTH, Math.min(...ys) - HEIGHT];
  return { x1: left, y1: top, w: Math.max(...xs) + WIDTH - left, h: Math.max(...ys) + HEIGHT - top };
}

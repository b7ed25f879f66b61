// Left to right, callers before the called, namespaces as boxes: ELK's layered layout, in a worker so that the page stays awake.
import ELK from "elkjs/lib/elk-api.js";
import { HEIGHT, WIDTH } from "./card.js";

let elk = null;

function engine() {
  elk ??= new ELK({ workerFactory: () => new Worker(document.body.dataset.elk) });
  return elk;
}

// Every box is laid out by its own options: what is about distances must be said to each.
const SPACING = {
  "elk.direction": "RIGHT",
  "elk.spacing.nodeNode": "34",
  "elk.layered.spacing.nodeNodeBetweenLayers": "70",
  "elk.layered.spacing.edgeNodeBetweenLayers": "24",
  "elk.spacing.edgeNode": "22",
  "elk.spacing.edgeEdge": "14",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.layered.nodePlacement.favorStraightEdges": "false",
};

// Small graphs keep the order of names where it costs no crossing.
const ORDERED = {
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.layered.considerModelOrder.crossingCounterNodeInfluence": "0.05",
  "elk.layered.thoroughness": "12",
};

const OPTIONS = {
  ...SPACING,
  "elk.algorithm": "layered",
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.edgeRouting": "POLYLINE",
  "elk.spacing.componentComponent": "44",
  "elk.json.shapeCoords": "ROOT",
  "elk.json.edgeCoords": "ROOT",
  "elk.aspectRatio": "1.7",
};

export const LARGE = 60;

// Large graphs are drawn tighter and with fewer thoughts about crossings and order: 180 nodes take 2 s instead of 10, 400 take 1 s.
function hurry(count) {
  if (count <= LARGE) return ORDERED;
  const tight = { "elk.spacing.nodeNode": "16", "elk.spacing.edgeNode": "8", "elk.spacing.edgeEdge": "5", "elk.layered.thoroughness": "2" };
  return count <= 250 ? tight : { ...tight, "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF" };
}

// Positions of node centres, and the bends of edges that pass other layers.
export async function arrange(nodes, edges, boxes) {
  try {
    return await layOut(nodes, edges, boxes, hurry(nodes.length));
  } catch {
    // ELK's model order breaks on some small graphs with boxes (0.12: "reading 'a' of undefined"); without it they are laid out.
    return layOut(nodes, edges, boxes, {});
  }
}

async function layOut(nodes, edges, boxes, many) {
  const box = new Map(boxes.map((b) => [b.id, { id: b.id, children: [], layoutOptions: { ...SPACING, ...many, "elk.padding": b.kind === "namespace" ? "[top=34,left=20,bottom=20,right=20]" : "[top=26,left=14,bottom=14,right=14]" } }]));
  const root = { id: "root", children: [], edges: [], layoutOptions: { ...OPTIONS, ...many } };
  for (const b of boxes) (box.get(b.parent)?.children ?? root.children).push(box.get(b.id));
  const known = new Set();
  for (const n of nodes) {
    known.add(n.id);
    (box.get(n.parent)?.children ?? root.children).push({ id: n.id, width: WIDTH, height: HEIGHT });
  }
  const prune = (children) => children.filter((c) => !c.children || (c.children = prune(c.children)).length);
  root.children = prune(root.children);
  const pairs = new Set();
  for (const e of edges) {
    if (!known.has(e.source) || !known.has(e.target) || e.source === e.target) continue;
    const pair = `${e.source} ${e.target}`;
    if (pairs.has(pair)) continue;
    pairs.add(pair);
    root.edges.push({ id: e.id, sources: [e.source], targets: [e.target] });
  }
  const done = await engine().layout(root);
  const positions = new Map();
  const visit = (child) => {
    if (child.children?.length) child.children.forEach(visit);
    else positions.set(child.id, { x: child.x + WIDTH / 2, y: child.y + HEIGHT / 2 });
  };
  done.children.forEach(visit);
  const bends = new Map();
  const collect = (part) => {
    for (const e of part.edges ?? []) {
      const points = e.sections?.flatMap((s) => s.bendPoints ?? []) ?? [];
      if (points.length) bends.set(e.id, points);
    }
    for (const child of part.children ?? []) collect(child);
  };
  collect(done);
  return { positions, bends };
}

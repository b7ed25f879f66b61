// Where an edge runs between two cards. Counterpart: layout.js, which says where the cards stand.

// `bends` are ELK's points; `moved` says that an end was dragged, so that they hold no longer.
// An S from the right side of the caller to the left side of the called, through the bends that ELK found; backwards edges stay plain curves.
export function route(edge, { bends, moved }) {
  const s = edge.source().position();
  const t = edge.target().position();
  const half = edge.source().width() / 2 - 5;
  const a = { x: s.x + half, y: s.y };
  const b = { x: t.x - half, y: t.y };
  const parallel = edge.parallelEdges().length > 1;
  if (edge.isLoop() || parallel || b.x - a.x < 20) return void edge.removeClass("routed");
  const middle = moved || !blocked(edge, a, b) ? [] : bends.filter((p) => p.x > a.x + 12 && p.x < b.x - 12);
  const reach = (b.x - a.x) * (middle.length ? 0.12 : 0.38);
  const controls = [{ x: a.x + reach, y: a.y }, ...middle, { x: b.x - reach, y: b.y }];
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const ux = (b.x - a.x) / length;
  const uy = (b.y - a.y) / length;
  edge.data({
    from: `${half}px 0px`,
    to: `${-half}px 0px`,
    weights: controls.map((p) => (((p.x - a.x) * ux + (p.y - a.y) * uy) / length).toFixed(4)).join(" "),
    distances: controls.map((p) => (-(p.x - a.x) * uy + (p.y - a.y) * ux).toFixed(2)).join(" "),
  });
  edge.addClass("routed");
}

// Whether the plain S would run through somebody else's card.
function blocked(edge, a, b) {
  if (b.x - a.x < 260) return false;
  const others = edge.cy().nodes(":visible").not(".box").not(edge.connectedNodes());
  for (let t = 0.05; t < 1; t += 0.05) {
    const ease = t < 0.5 ? 2 * t * t : 1 - 2 * (1 - t) ** 2;
    const x = a.x + (b.x - a.x) * t;
    const y = a.y + (b.y - a.y) * ease;
    if (others.some((n) => Math.abs(n.position("x") - x) < n.width() / 2 && Math.abs(n.position("y") - y) < n.height() / 2)) return true;
  }
  return false;
}

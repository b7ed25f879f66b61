// The keyboard: arrows walk from node to node, + - 0 zoom, Enter opens, Esc leaves.
export function keys({ cy, selected, choose, fit, open }) {
  // To the nearest node that way; along edges first.
  function walk(direction) {
    const from = cy.getElementById(selected());
    const nodes = cy.nodes(":visible").not(".box");
    if (from.empty() || !from.isNode()) {
      const start = nodes.sort((a, b) => a.position("x") - b.position("x"))[0];
      return start && choose(start.id());
    }
    const [dx, dy] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[direction];
    const here = from.position();
    const near = from.neighborhood().nodes();
    let best = null;
    let least = Infinity;
    nodes.not(from).forEach((n) => {
      const vx = n.position("x") - here.x;
      const vy = n.position("y") - here.y;
      const ahead = vx * dx + vy * dy;
      if (ahead <= 4) return;
      const aside = Math.abs(vx * dy) + Math.abs(vy * dx);
      const cost = ahead + aside * 1.6 - (dx && near.contains(n) ? 400 : 0);
      if (cost < least) [best, least] = [n, cost];
    });
    if (best) choose(best.id());
  }

  const middle = () => ({ x: cy.width() / 2, y: cy.height() / 2 });
  return (event) => {
    if (event.key.startsWith("Arrow")) walk(event.key);
    else if (event.key === "Enter") open();
    else if (event.key === "Escape") choose("");
    else if (event.key === "+" || event.key === "=") cy.zoom({ level: cy.zoom() * 1.2, renderedPosition: middle() });
    else if (event.key === "-") cy.zoom({ level: cy.zoom() / 1.2, renderedPosition: middle() });
    else if (event.key === "0") fit();
    else return;
    event.preventDefault();
  };
}

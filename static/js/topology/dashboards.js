// Grafana's dashboard of a node or an edge, over the time that the graph shows. Counterpart: meshconsole/grafana/links.py.
const base = () => (document.body.dataset.grafana ?? "").replace(/\/+$/, "");

function to(uid, variables, head) {
  const asked = new URLSearchParams(Object.entries(variables).map(([name, value]) => [`var-${name}`, value]));
  asked.set("from", Date.parse(head.start));
  asked.set("to", Date.parse(head.end));
  return `${base()}/d/meshconsole-${uid}?${asked}`;
}

// '' where there is no Grafana, or nothing that its metrics know by a name.
export function ofNode(n, head) {
  if (!base()) return "";
  if (n.kind === "service" && n.services.length) return to("service", { service: n.services[0] }, head);
  if (n.workloads.length) return to("workload", { namespace: n.namespace, workload: n.workloads.length === 1 ? n.workloads[0] : `(${n.workloads.join("|")})` }, head);
  return n.services.length ? to("service", { service: n.services[0] }, head) : "";
}

export function ofEdge(e, head) {
  return base() && e.services.length ? to("service", { service: e.services[0] }, head) : "";
}

// Find and hide: `reviews`, `errors > 1`, `rate > 5 and not mtls`, `app = ratings or failing`, `policy = default/reviews`. `or` binds weaker than `and`.
const NODE = {
  name: (n) => n.name,
  app: (n) => n.app,
  version: (n) => n.version,
  namespace: (n) => n.namespace,
  ns: (n) => n.namespace,
  kind: (n) => n.kind,
  rate: (n) => n.inbound.rate || n.outbound.rate,
  errors: (n) => Math.max(n.inbound.errorShare, n.outbound.errorShare) * 100,
  health: (n) => n.health.status,
  policy: (n) => n.badges.flatMap((b) => b.policies.flatMap((p) => [`${p.kind}/${p.namespace}/${p.name}`, `${p.namespace}/${p.name}`, p.name])),
};
const EDGE = {
  protocol: (e) => e.protocol,
  rate: (e) => e.rate,
  errors: (e) => e.errorShare * 100,
  p50: (e) => e.p50,
  p95: (e) => e.p95,
  p99: (e) => e.p99,
  mtls: (e) => (e.mtlsShare === null ? null : e.mtlsShare * 100),
  health: (e) => e.health.status,
  code: (e) => Object.keys(e.codes).join(" "),
};
const NODE_IS = {
  failing: (n) => n.health.status === "failure",
  degraded: (n) => n.health.status === "degraded",
  healthy: (n) => n.health.status === "healthy",
  ...Object.fromEntries(["gateway", "external", "unknown", "idle", "outOfSync", "disconnected", "unhealthy", "mtls", "plaintext", "root", "passthrough", "noSidecar"].map((f) => [f.toLowerCase(), (n) => n.flags.includes(f)])),
};
const EDGE_IS = {
  failing: (e) => e.health.status === "failure",
  degraded: (e) => e.health.status === "degraded",
  healthy: (e) => e.health.status === "healthy",
  idle: (e) => !(e.rate > 0),
  mtls: (e) => e.mtlsShare === 1,
  plaintext: (e) => e.mtlsShare !== null && e.mtlsShare < 1,
  http: (e) => e.protocol === "http",
  grpc: (e) => e.protocol === "grpc",
  tcp: (e) => e.protocol === "tcp",
};

export const HELP = [...new Set([...Object.keys(NODE), ...Object.keys(EDGE)])].sort();
export const WORDS = [...new Set([...Object.keys(NODE_IS), ...Object.keys(EDGE_IS)])].sort();

function compare(value, operator, wanted) {
  if (value === null || value === undefined) return false;
  if (Array.isArray(value)) return operator === "!=" ? value.every((v) => compare(v, operator, wanted)) : value.some((v) => compare(v, operator, wanted));
  const number = Number(wanted);
  if (typeof value === "number" && !Number.isNaN(number)) {
    return { "=": value === number, "!=": value !== number, ">": value > number, "<": value < number, ">=": value >= number, "<=": value <= number, "~": String(value).includes(wanted) }[operator];
  }
  const text = String(value).toLowerCase();
  return { "=": text === wanted, "!=": text !== wanted, "~": text.includes(wanted), ">": text > wanted, "<": text < wanted, ">=": text >= wanted, "<=": text <= wanted }[operator];
}

function term(text) {
  const negated = /^(?:not\s+|!(?!=))/i.test(text);
  const bare = text.replace(/^(?:not\s+|!(?!=))/i, "").trim().toLowerCase();
  const found = bare.match(/^(\w+)\s*(>=|<=|!=|=|>|<|~)\s*(.+)$/);
  let node, edge;
  if (found && (found[1] in NODE || found[1] in EDGE)) {
    const [, field, operator, wanted] = found;
    const value = wanted.replace(/^["']|["']$/g, "").replace(/\s*(%|ms|\/s)$/, "");
    node = field in NODE ? (n) => compare(NODE[field](n), operator, value) : () => false;
    edge = field in EDGE ? (e) => compare(EDGE[field](e), operator, value) : () => false;
  } else if (bare in NODE_IS || bare in EDGE_IS) {
    node = NODE_IS[bare] ?? (() => false);
    edge = EDGE_IS[bare] ?? (() => false);
  } else {
    node = (n) => n.label.toLowerCase().includes(bare) || n.name.toLowerCase().includes(bare);
    edge = () => false;
  }
  return negated ? { node: (n) => !node(n), edge: (e) => !edge(e) } : { node, edge };
}

export function parse(text) {
  if (!text.trim()) return null;
  const either = text.split(/\s+or\s+/i).map((part) => part.split(/\s+and\s+/i).filter(Boolean).map(term));
  return {
    node: (n) => either.some((all) => all.every((t) => t.node(n))),
    edge: (e) => either.some((all) => all.every((t) => t.edge(e))),
  };
}

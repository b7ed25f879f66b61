// How figures and states are said, in one place for the graph, the panel, the table and the exports.
import { formats } from "../chart.js";

export const HEALTH = {
  failure: { word: "Failing", tone: "bad", icon: "octagon-alert", rank: 4 },
  degraded: { word: "Degraded", tone: "warn", icon: "triangle-alert", rank: 3 },
  notReady: { word: "Not ready", tone: "warn", icon: "circle-dashed", rank: 2 },
  healthy: { word: "Healthy", tone: "good", icon: "circle-check", rank: 1 },
  none: { word: "No traffic", tone: "idle", icon: "circle-minus", rank: 0 },
};

export const BADGES = {
  routing: ["route", "Routing"],
  shifting: ["split", "Traffic shifting"],
  fault: ["zap", "Fault injection"],
  mirror: ["copy", "Mirroring"],
  timeout: ["timer", "Timeout"],
  retry: ["refresh-cw", "Retries"],
  circuitBreaker: ["activity", "Circuit breaker"],
  authorization: ["shield-check", "Authorization"],
  mtls: ["lock", "mTLS required"],
  gateway: ["door-open", "Gateway"],
  serviceEntry: ["external-link", "Service entry"],
  loadBalancing: ["shuffle", "Load balancing"],
};

export const PLURALS = {
  VirtualService: "virtualservices",
  DestinationRule: "destinationrules",
  Gateway: "gateways",
  ServiceEntry: "serviceentries",
  Sidecar: "sidecars",
  PeerAuthentication: "peerauthentications",
  AuthorizationPolicy: "authorizationpolicies",
};

export const FLAGS = {
  DC: "the caller hung up",
  UF: "could not connect",
  UH: "no healthy endpoint",
  UC: "the connection broke",
  UO: "circuit breaker: too many pending",
  UT: "timed out",
  URX: "retries used up",
  NR: "no route",
  NC: "no such cluster",
  FI: "injected fault",
  DI: "injected delay",
  RL: "rate limited",
  LR: "reset by us",
  UR: "reset by the service",
  UAEX: "denied",
  RBAC: "denied",
};

export const icon = (node) => {
  if (node.flags.includes("gateway")) return "door-open";
  if (node.flags.includes("external")) return node.flags.includes("passthrough") ? "circle-help" : "external-link";
  if (node.kind === "unknown") return "circle-help";
  if (node.kind === "service") return "globe";
  if (node.kind === "app") return "boxes";
  return "box";
};

export function sub(node) {
  if (node.flags.includes("gateway")) return "gateway";
  if (node.flags.includes("passthrough")) return "not declared";
  if (node.flags.includes("external")) return "external";
  if (node.kind === "unknown") return "outside of the mesh";
  if (node.kind === "version") return node.version || "no version";
  if (node.kind === "workload") return node.version ? `${node.app} ${node.version}` : "workload";
  return node.kind;
}

export const title = (node) => (node.kind === "unknown" ? node.label || "unknown" : node.name || node.label);

// One decimal from 1 on: labels that are redrawn every two seconds must not flicker.
export const rate = (v, tcp) => `${v >= 1 && v < 100 ? v.toFixed(1) : formats.rate(v)}${tcp ? " conn/s" : "/s"}`;
export const percent = (v) => (v === null || v === undefined ? "–" : v > 0 && v < 0.001 ? "<0.1 %" : formats.percent(v));
export const ms = (v) => (v === null || v === undefined ? "–" : formats.ms(v));
export const bytes = (v) => `${formats.bytes(v)}/s`;

export const busy = (edge) => edge.rate > 0 || edge.requestBytes > 0 || edge.responseBytes > 0;

export function tone(edge) {
  if (!busy(edge)) return "idle";
  if (edge.health.status === "failure") return "bad";
  if (edge.health.status === "degraded") return "warn";
  return edge.protocol === "tcp" ? "tcp" : "good";
}

export function labelOf(edge, what) {
  if (!busy(edge) || what === "none") return "";
  switch (what) {
    case "errors":
      return edge.protocol === "tcp" ? "" : percent(edge.errorShare);
    case "p50":
    case "p95":
    case "p99":
      return edge[what] === null ? "" : ms(edge[what]);
    case "share":
      return percent(edge.share);
    case "throughput":
      return bytes(edge.requestBytes + edge.responseBytes);
    default:
      return rate(edge.rate, edge.protocol === "tcp");
  }
}

export function pageOf(node) {
  if (node.kind === "service" && node.namespace) return `/services/${node.namespace}/${node.name}/`;
  if (node.workloads.length === 1 && node.namespace) return `/workloads/${node.namespace}/${node.workloads[0]}/`;
  return "";
}

// The side panel: the mesh, a node or an edge in words, with links to where one may act.
import * as dashboards from "./dashboards.js";
import { BADGES, busy, bytes, FLAGS, HEALTH, labelOf, ms, pageOf, percent, PLURALS, rate, sub, title, tone } from "./words.js";

const esc = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const glyph = (name, css = "") => `<svg class="icon ${css}" aria-hidden="true"><use href="${document.body.dataset.icons}#${name}"></use></svg>`;
const status = (word, text) => `<span class="status ${HEALTH[word].tone}">${glyph(HEALTH[word].icon)}<span>${esc(text ?? HEALTH[word].word)}</span></span>`;
const SYNC = { SYNCED: ["good", "circle-check", "Synced"], STALE: ["warn", "circle-dashed", "Stale"], NACKED: ["bad", "octagon-alert", "NACKED"], NEVER_CONNECTED: ["idle", "unplug", "Never connected"], UNKNOWN: ["idle", "circle-minus", "Unknown"] };
const fact = (name, value) => `<dt>${name}</dt><dd>${value}</dd>`;
const section = (name, body, more = "") => `<section><header><h3>${name}</h3>${more}</header>${body}</section>`;
const grafana = (address) => (address ? `<a class="btn small" href="${esc(address)}" target="_blank" rel="noopener">Grafana</a>` : "");
const policyLink = (p) => `<a class="link" href="/policies/${PLURALS[p.kind] ?? `${p.kind.toLowerCase()}s`}/${encodeURIComponent(p.namespace)}/${encodeURIComponent(p.name)}/">${esc(p.kind)} ${esc(p.name)}</a>`;

function head(kind, name, health, extra = "") {
  return `<div class="panel-head"><div class="grow"><span class="muted">${esc(kind)}</span><h2>${esc(name)}</h2></div><button class="btn ghost square small" type="button" data-close aria-label="Close details">${glyph("x")}</button></div><div class="row wrap panel-state">${health ? status(health) : ""}${extra}</div>`;
}

function reasons(health) {
  return health.reasons.length ? `<ul class="reasons">${health.reasons.map((r) => `<li>${esc(r)}</li>`).join("")}</ul>` : "";
}

function edgeRow(edge, model, end) {
  const other = model.nodes.get(edge[end]);
  return `<button class="edge-row" type="button" data-select="${esc(edge.id)}"><span class="dot ${tone(edge)}"></span><span class="truncate">${esc(other ? other.label : edge[end])}</span><span class="num muted">${busy(edge) ? labelOf(edge, "rate") : "idle"}</span><span class="num ${edge.errorShare > 0 ? "bad" : "muted"}">${edge.protocol === "tcp" || !busy(edge) ? "" : percent(edge.errorShare)}</span></button>`;
}

export function mesh(model) {
  const { totals, proxies } = model.head;
  const edges = [...model.edges.values()];
  const unwell = edges.filter((e) => HEALTH[e.health.status].rank >= 3).sort((a, b) => HEALTH[b.health.status].rank - HEALTH[a.health.status].rank || b.errorShare - a.errorShare);
  const busiest = edges.filter(busy).sort((a, b) => b.rate - a.rate).slice(0, 6);
  const nodes = [...model.nodes.values()];
  const of = (e) => `${esc(model.nodes.get(e.source)?.label ?? "")} → ${esc(model.nodes.get(e.target)?.label ?? "")}`;
  const row = (e, value) => `<button class="edge-row" type="button" data-select="${esc(e.id)}"><span class="dot ${tone(e)}"></span><span class="truncate">${of(e)}</span><span class="num">${value}</span></button>`;
  return `<div class="panel-head"><div class="grow"><span class="muted">In view</span><h2>${nodes.length} node${nodes.length === 1 ? "" : "s"}, ${edges.length} edge${edges.length === 1 ? "" : "s"}</h2></div></div>
    <dl class="facts">${fact("Requests", `${rate(totals.rate)}`)}${fact("Errors", `<span class="${totals.errorShare > 0 ? "bad" : ""}">${percent(totals.errorShare)}</span>`)}${fact("Mutual TLS", percent(totals.mtlsShare))}${totals.tcpBytes ? fact("TCP", bytes(totals.tcpBytes)) : ""}${fact("Proxies", `${proxies.synced} of ${proxies.total} in sync${proxies.nacked ? `, <span class="bad">${proxies.nacked} NACKED</span>` : ""}${proxies.disconnected ? `, ${proxies.disconnected} away` : ""}`)}</dl>
    ${unwell.length ? section("Unwell", unwell.slice(0, 8).map((e) => row(e, percent(e.errorShare))).join("")) : ""}
    ${busiest.length ? section("Busiest", busiest.map((e) => row(e, labelOf(e, "rate"))).join("")) : ""}
    <p class="muted hint">Select a node or an edge for details. With the keyboard: arrows walk, Enter opens, Esc leaves.</p>`;
}

export function node(n, model) {
  const inbound = model.into(n.id).sort((a, b) => b.rate - a.rate);
  const outbound = model.outOf(n.id).sort((a, b) => b.rate - a.rate);
  const page = pageOf(n);
  const tags = [n.flags.includes("mtls") ? `<span class="badge good">${glyph("lock")}mTLS</span>` : "", n.flags.includes("plaintext") ? `<span class="badge warn">${glyph("lock-open")}some plaintext</span>` : "", n.flags.includes("disconnected") ? `<span class="badge warn">${glyph("unplug")}agent away</span>` : "", n.flags.includes("passthrough") ? '<span class="badge warn">not declared</span>' : ""].join("");
  const figures = (r) => `${rate(r.rate)} <span class="${r.errorShare > 0 ? "bad" : "muted"}">${percent(r.errorShare)} errors</span>`;
  return `${head(`${sub(n)}${n.namespace ? ` · ${n.namespace}` : ""}`, title(n), n.health.status, tags)}${reasons(n.health)}
    <dl class="facts">${n.inbound.rate || inbound.length ? fact("Inbound", figures(n.inbound)) : ""}${n.outbound.rate || outbound.length ? fact("Outbound", figures(n.outbound)) : ""}${n.services.length ? fact("Hosts", n.services.map((s) => `<span class="mono">${esc(s)}</span>`).join("<br>")) : ""}</dl>
    ${page ? `<div class="row wrap"><a class="btn small" href="${esc(page)}">Open ${n.kind === "service" ? "service" : "workload"}</a>${n.kind !== "service" && n.workloads.length === 1 ? `<a class="btn small" href="/proxies/${esc(n.namespace)}/${esc(n.workloads[0])}/">Its proxy</a>` : ""}${n.workloads.length === 1 ? `<a class="btn small" href="/traces/?namespace=${encodeURIComponent(n.namespace)}&amp;workload=${encodeURIComponent(n.workloads[0])}">Traces</a>` : ""}${grafana(dashboards.ofNode(n, model.head))}</div>` : ""}
    ${n.badges.length ? section("Policies", n.badges.map((b) => `<div class="badge-row">${glyph(BADGES[b.kind]?.[0] ?? "info")}<span>${esc(BADGES[b.kind]?.[1] ?? b.kind)}</span><span class="push">${b.policies.map(policyLink).join(", ")}</span></div>`).join("")) : ""}
    ${n.instances.length ? section("Proxies", n.instances.map((i) => `<a class="edge-row" href="/proxies/${esc(i.id)}/"><span class="truncate">${esc(i.id.split("/")[1])}</span><span class="status ${i.connected ? SYNC[i.sync][0] : "idle"}">${glyph(i.connected ? SYNC[i.sync][1] : "unplug")}<span>${i.connected ? SYNC[i.sync][2] : "Away"}</span></span></a>${i.error ? `<p class="bad small">${esc(i.error)}</p>` : ""}`).join("")) : ""}
    ${inbound.length ? section("Called by", inbound.map((e) => edgeRow(e, model, "source")).join("")) : ""}
    ${outbound.length ? section("Calls", outbound.map((e) => edgeRow(e, model, "target")).join("")) : ""}`;
}

function bars(values, total, css) {
  return `<div class="code-bars">${values.map(([name, n, tone_, note]) => `<div><span class="num">${esc(name)}</span><svg viewBox="0 0 100 6" preserveAspectRatio="none" class="meter ${tone_}"><rect width="${(n / total) * 100}" height="6"/></svg><span class="num muted">${percent(n / total)}</span>${note ? `<span class="muted small wide">${esc(note)}</span>` : ""}</div>`).join("")}</div>`;
}

// What the mesh would do with such a call: asked of the one workload that makes them.
const why = (source, host, e) => (source?.workloads?.length === 1 && e.protocol !== "tcp" ? ` <a class="link" href="/why/?${esc(new URLSearchParams({ from: `${source.namespace}/${source.workloads[0]}`, to: host, path: "/" }))}">Why?</a>` : "");

export function edge(e, model, compared = "") {
  const source = model.nodes.get(e.source);
  const target = model.nodes.get(e.target);
  const codes = Object.entries(e.codes).sort((a, b) => b[1] - a[1]);
  const total = codes.reduce((sum, [, n]) => sum + n, 0) || 1;
  const codeTone = (code) => (/^[23]/.test(code) ? "" : /^4/.test(code) ? "warn" : "bad");
  const slow = Math.max(e.p99 ?? 0, 1);
  const latency = ["p50", "p95", "p99"].filter((p) => e[p] !== null).map((p) => `<div><span class="num">${p}</span><svg viewBox="0 0 100 6" preserveAspectRatio="none" class="meter accent"><rect width="${(e[p] / slow) * 100}" height="6"/></svg><span class="num">${ms(e[p])}</span></div>`).join("");
  const lock = e.mtlsShare === null ? '<span class="muted">nobody knows</span>' : e.mtlsShare >= 0.9999 ? `<span class="badge good">${glyph("lock")}all of it</span>` : `<span class="badge warn">${glyph("lock-open")}${percent(e.mtlsShare)}</span>`;
  const end = (n, id) => `<button class="link" type="button" data-select="${esc(id)}">${esc(n ? n.label : id)}</button>`;
  return `${head(`${e.protocol} edge`, `${source ? title(source) : ""} → ${target ? title(target) : ""}`, e.health.status)}${reasons(e.health)}
    <dl class="facts">${fact("From", end(source, e.source))}${fact("To", end(target, e.target))}${fact(e.protocol === "tcp" ? "Connections" : "Requests", `${rate(e.rate, e.protocol === "tcp")} <span class="muted">${e.requests.toLocaleString("en")} in all</span>`)}${e.protocol === "tcp" ? "" : fact("Errors", `<span class="${e.errorShare > 0 ? "bad" : ""}">${percent(e.errorShare)}</span>`)}${fact("Share", `${percent(e.share)} <span class="muted">of what the source sends</span>`)}${fact("Mutual TLS", lock)}${fact("Sent", bytes(e.requestBytes))}${fact("Received", bytes(e.responseBytes))}</dl>
    ${dashboards.ofEdge(e, model.head) ? `<div class="row wrap">${grafana(dashboards.ofEdge(e, model.head))}</div>` : ""}
    ${compared}
    ${latency ? section("Latency", `<div class="code-bars">${latency}</div>`) : ""}
    ${codes.length ? section("Responses", bars(codes.map(([code, n]) => [code === "-" ? "none" : code, n, codeTone(code)]), total)) : ""}
    ${Object.keys(e.flags).length ? section("Why", bars(Object.entries(e.flags).sort((a, b) => b[1] - a[1]).map(([flag, n]) => [flag, n, "bad", flag.split(",").map((f) => FLAGS[f]).filter(Boolean).join(", ")]), total)) : ""}
    ${Object.keys(e.grpc).length ? section("gRPC statuses", bars(Object.entries(e.grpc).map(([s, n]) => [s, n, s === "0" ? "" : "bad"]), total)) : ""}
    ${e.targetPrincipals.length ? section("Identities", `<p class="mono small">${e.sourcePrincipals.map(esc).join("<br>")}</p><p class="muted small">calls</p><p class="mono small">${e.targetPrincipals.map(esc).join("<br>")}</p>`) : ""}
    ${e.services.length ? section("Hosts asked for", e.services.map((s) => `<p class="mono small">${esc(s)}${why(source, s, e)}</p>`).join("")) : ""}
    <p class="muted hint">Told by the proxy of the ${e.reporter === "source" ? "caller" : "called"}.</p>`;
}

// The graph as a table, for those who do not see it and for those who want to sort by eye.
export function table(model) {
  const rows = [...model.edges.values()].sort((a, b) => HEALTH[b.health.status].rank - HEALTH[a.health.status].rank || b.rate - a.rate);
  const name = (id) => model.nodes.get(id)?.label ?? id;
  const body = rows
    .map((e) => `<tr><td>${esc(name(e.source))}</td><td>${esc(name(e.target))}</td><td>${status(e.health.status)}</td><td>${e.protocol}</td><td class="n">${labelOf(e, "rate") || "idle"}</td><td class="n">${e.protocol === "tcp" ? "–" : percent(e.errorShare)}</td><td class="n">${ms(e.p50)}</td><td class="n">${ms(e.p95)}</td><td class="n">${ms(e.p99)}</td><td class="n">${percent(e.mtlsShare)}</td></tr>`)
    .join("");
  return `<table class="table"><caption class="sr">Who calls whom</caption><thead><tr><th scope="col">From</th><th scope="col">To</th><th scope="col">Health</th><th scope="col">Protocol</th><th scope="col" class="n">Rate</th><th scope="col" class="n">Errors</th><th scope="col" class="n">p50</th><th scope="col" class="n">p95</th><th scope="col" class="n">p99</th><th scope="col" class="n">mTLS</th></tr></thead><tbody>${body || '<tr><td colspan="10" class="muted">Nobody calls anybody in this window.</td></tr>'}</tbody></table>`;
}

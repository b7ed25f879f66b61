// Two moments of one graph: what is new, gone, slower or failing. The console compares (meshconsole/topology/compare.py); here it is drawn and said.
import { ms, percent, rate } from "./words.js";

const EVERY = 10_000;
const SAID = { failing: "failing", slower: "slower", gone: "gone", new: "new", quieter: "quieter", busier: "busier", faster: "faster", mended: "mended" };
const TONE = { failing: "bad", slower: "warn", gone: "gone", new: "new", quieter: "warn", busier: "new", faster: "good", mended: "good" };
const esc = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

export class Comparison {
  // `changed` is called when there is news to draw.
  constructor({ query, changed, failed }) {
    Object.assign(this, { query, changed, failed, ago: "", found: null, edges: new Map(), timer: 0, asked: 0 });
  }

  get on() {
    return this.ago !== "";
  }

  set(ago) {
    this.ago = ago;
    clearInterval(this.timer);
    this.found = null;
    this.edges = new Map();
    this.fresh = true;
    if (!ago) return this.changed(true);
    this.load();
    this.timer = setInterval(() => this.load(), EVERY);
  }

  async load() {
    if (!this.on) return;
    const mine = ++this.asked;
    try {
      const answer = await fetch(`/api/v1/topology/comparison?ago=${this.ago}&${this.query()}`, { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(`the comparison could not be read: ${answer.status}`);
      const found = await answer.json();
      if (mine !== this.asked || !this.on) return; // a later question was put meanwhile
      this.found = found;
      this.edges = new Map(found.edges.map((e) => [e.id, e]));
      this.changed(this.fresh);
      this.fresh = false;
    } catch (error) {
      this.failed(error.message);
    }
  }

  // What is gone is put among what there is, to be drawn as a ghost; and taken out when it is not wanted any more.
  dress(model) {
    const gone = this.found?.gone ?? { nodes: [], edges: [] };
    for (const part of ["nodes", "edges"]) {
      const wanted = new Set(gone[part].map((e) => e.id));
      for (const [id, element] of model[part]) if (element.ghost && !wanted.has(id)) model[part].delete(id);
      for (const element of gone[part]) if (!model[part].has(element.id)) model[part].set(element.id, { ...element, ghost: true, ...(part === "nodes" ? { parent: null } : {}) });
    }
  }

  tone(edge) {
    if (!this.on) return null;
    const change = this.edges.get(edge.id);
    return change ? TONE[change.what[0]] : "same";
  }

  label(edge) {
    if (!this.on) return null;
    const change = this.edges.get(edge.id);
    return change ? moved(change) : "";
  }

  panel(model) {
    const name = (id) => model.nodes.get(id)?.label ?? id;
    const when = (m) => new Date(m.end).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
    if (!this.found) return '<div class="panel-head"><div class="grow"><h2>Comparing…</h2></div></div>';
    const { edges, nodes, before, now } = this.found;
    const rows = edges.map((e) => `<button class="edge-row" type="button" data-select="${esc(e.id)}"><span class="dot ${TONE[e.what[0]]}"></span><span class="truncate">${esc(name(e.source))} → ${esc(name(e.target))}</span><span class="num">${esc(moved(e))}</span></button>`).join("");
    const names = nodes.map((n) => `<button class="edge-row" type="button" data-select="${esc(n.id)}"><span class="dot ${TONE[n.what[0]]}"></span><span class="truncate">${esc(n.label)}</span><span class="num">${esc(n.what.map((w) => SAID[w]).join(", "))}</span></button>`).join("");
    return `<div class="panel-head"><div class="grow"><span class="muted">${esc(when(before))} and ${esc(when(now))}</span><h2>${edges.length ? `${edges.length} call${edges.length === 1 ? "" : "s"} changed` : "Nothing changed"}</h2></div></div>
      ${edges.length ? `<section><header><h3>Calls, worst first</h3></header>${rows}</section>` : '<p class="muted">Every call is as often, as fast and as well answered as it was.</p>'}
      ${names ? `<section><header><h3>Nodes</h3></header>${names}</section>` : ""}
      <p class="muted hint">Slower: p95 a quarter longer, and by 5 ms. Failing: twice the share of errors, and a percent more. Below ten requests nothing is judged.</p>`;
  }

  // Of one edge, for its panel.
  facts(edge) {
    const change = this.edges.get(edge.id);
    if (!this.on || !change) return "";
    const line = (title, show, key) => `<dt>${title}</dt><dd>${change.before ? show(change.before[key]) : "–"} → ${change.now ? show(change.now[key]) : "–"}</dd>`;
    return `<section><header><h3>Since then: ${esc(change.what.map((w) => SAID[w]).join(", "))}</h3></header><dl class="facts">${line("Requests", rate, "rate")}${line("Errors", percent, "errorShare")}${line("p50", ms, "p50")}${line("p95", ms, "p95")}${line("p99", ms, "p99")}</dl></section>`;
  }

  stop() {
    clearInterval(this.timer);
  }
}

function moved({ what, before, now }) {
  const [first] = what;
  if (first === "failing" || first === "mended") return `errors ${percent(before.errorShare)} → ${percent(now.errorShare)}`;
  if (first === "slower" || first === "faster") return `p95 ${ms(before.p95)} → ${ms(now.p95)}`;
  if (first === "busier" || first === "quieter") return `${rate(before.rate)} → ${rate(now.rate)}`;
  return SAID[first];
}

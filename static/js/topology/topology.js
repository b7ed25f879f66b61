// The topology page: Cytoscape draws what the feed tells, the URL holds how one looks at it.
import cytoscape from "cytoscape";
import { loadIcons, palette } from "./card.js";
import { png, save, svg } from "./export.js";
import { Comparison } from "./compare.js";
import { parse } from "./find.js";
import { keys } from "./keys.js";
import { arrange, LARGE } from "./layout.js";
import { Feed, Model } from "./model.js";
import { Overlay } from "./overlay.js";
import { extent, plain } from "./plain.js";
import * as panels from "./panel.js";
import { route } from "./routes.js";
import { styles } from "./style.js";
import { clock, TimeBar } from "./time.js";
import { tone } from "./words.js";
import { isLive } from "../live.js";

const DEFAULTS = { kind: "versionedApp", window: "60", label: "rate", find: "", hide: "", select: "", idle: "1", boxes: "1", motion: "1", locks: "1", view: "graph", at: "", compare: "" };

export default function start(root) {
  const q = (selector) => root.querySelector(selector);
  const stage = q("[data-stage]");
  const panel = q("[data-panel]");
  const twin = q("[data-table]");
  const model = new Model();
  const asked = new URLSearchParams(location.search);
  const state = Object.fromEntries(Object.entries(DEFAULTS).map(([k, v]) => [k, asked.get(k) ?? v]));
  let colors = palette();
  let bends = new Map();
  let dragged = new Set();
  let first = true;
  let arranging = null;
  let again = false;
  let connection = "connecting";

  const cy = cytoscape({ container: q("[data-graph]"), style: styles(colors), minZoom: 0.03, maxZoom: 2.6, boxSelectionEnabled: false, selectionType: "single", autounselectify: false });
  const graph = { cy, model, colors: () => colors, options: () => ({ label: state.label, locks: state.locks === "1", motion: state.motion === "1", live: connection === "live" && !state.at, compared: comparison }) };
  let overlay = null;
  const namespace = () => new URLSearchParams(location.search).get("namespace");
  const scoped = (more = {}) => new URLSearchParams({ ...(namespace() ? { namespace: namespace() } : {}), ...more }).toString();
  const toast = (text) => document.dispatchEvent(new CustomEvent("meshconsole:toast", { detail: { text, kind: "error" } }));
  const comparison = new Comparison({
    query: () => scoped({ window: `${state.window}s`, kind: state.kind, ...(state.at ? { at: state.at } : {}) }),
    changed: async (anew) => {
      if (!model.head) return;
      await sync(true);
      if (anew) fit(); // ghosts may have come that are out of sight
    },
    failed: toast,
  });
  const time = new TimeBar(q("[data-timebar]"), {
    at: state.at,
    query: () => scoped(),
    onMoment(at) {
      state.at = at;
      changed("at");
    },
  });

  // --- the URL
  function remember() {
    const query = new URLSearchParams(location.search);
    for (const [k, v] of Object.entries(state)) {
      if (v && v !== DEFAULTS[k]) query.set(k, v);
      else if (v === DEFAULTS[k] || !v) query.delete(k);
      if (DEFAULTS[k] === "1" && v === "0") query.set(k, "0");
    }
    history.replaceState(history.state, "", `${location.pathname}${query.size ? `?${query}` : ""}`);
    for (const link of document.querySelectorAll("#masthead .pop a[href*='/topology/']")) {
      const to = new URL(link.href);
      const merged = new URLSearchParams(query);
      for (const key of ["namespace", "range"]) {
        if (to.searchParams.has(key)) merged.set(key, to.searchParams.get(key));
        else if (key === "namespace") merged.delete(key);
      }
      link.setAttribute("href", `${to.pathname}?${merged}`);
    }
  }

  // --- the feed
  // The console is asked at once; what it tells is drawn when icons and fonts are there.
  const dressed = Promise.all([loadIcons(), document.fonts.load("600 12px Inter"), document.fonts.load("400 12px Inter")]);
  const feed = new Feed({
    async onGraph(fresh) {
      await dressed;
      if (cy.destroyed()) return;
      model.replace(fresh);
      sync(true);
    },
    async onDiff(diff) {
      await dressed;
      if (cy.destroyed()) return;
      const { shape } = model.apply(diff);
      sync(shape);
    },
    onState(what) {
      connection = what;
      const badge = q("[data-connection]");
      badge.className = `live ${what === "live" && !state.at ? "" : "off"}`;
      badge.textContent = { live: state.at ? `As of ${clock(state.at)}` : "Live", lost: "Reconnecting…", paused: "Paused", connecting: "Connecting…" }[what];
    },
    onError: toast,
  });

  function subscribe() {
    feed.subscribe({ window: Number(state.window), kind: state.kind, namespaces: namespace() ? [namespace()] : null, idle: state.idle === "1", at: state.at || null });
  }

  // --- from the model to what is drawn
  // Boxes inside of boxes cost the layout most of its time: in large graphs there are those of namespaces only.
  function boxes() {
    if (state.boxes !== "1") return [];
    const all = [...model.boxes.values()].sort((a, b) => (a.parent ? 1 : 0) - (b.parent ? 1 : 0));
    return model.nodes.size > LARGE ? all.filter((b) => !b.parent) : all;
  }

  function parentOf(n, drawn) {
    let parent = n.parent;
    while (parent && !drawn.has(parent)) parent = model.boxes.get(parent)?.parent;
    return parent ?? undefined;
  }

  function edgeData(e) {
    return { id: e.id, source: e.source, target: e.target, width: 1.6 + Math.min(2.6, Math.log10(1 + e.rate) * 1.15) };
  }

  async function sync(shape) {
    comparison.dress(model);
    cy.batch(() => {
      const wanted = new Set();
      const drawn = new Set(boxes().map((b) => b.id));
      for (const b of boxes()) {
        wanted.add(b.id);
        if (cy.getElementById(b.id).empty()) cy.add({ group: "nodes", data: { id: b.id, parent: b.parent ?? undefined }, classes: `box ${b.kind}`, selectable: false, grabbable: false });
      }
      for (const n of model.nodes.values()) {
        wanted.add(n.id);
        const there = cy.getElementById(n.id);
        const data = { id: n.id, parent: parentOf(n, drawn) };
        if (there.empty()) cy.add({ group: "nodes", data, classes: "fresh" });
        else if ((there.data("parent") ?? undefined) !== data.parent) there.move({ parent: data.parent ?? null });
      }
      for (const e of model.edges.values()) {
        if (!model.nodes.has(e.source) || !model.nodes.has(e.target)) continue;
        wanted.add(e.id);
        const there = cy.getElementById(e.id);
        const data = edgeData(e);
        if (there.empty()) cy.add({ group: "edges", data });
        else if (Math.abs(there.data("width") - data.width) > 0.05) there.data("width", data.width);
        const edge = cy.getElementById(e.id);
        const now = comparison.tone(e) ?? tone(e);
        if (!edge.hasClass(now)) edge.removeClass("good warn bad tcp idle new gone same").addClass(now);
      }
      cy.elements().forEach((element) => {
        if (!wanted.has(element.id())) {
          if (element.isNode()) element.children().move({ parent: null });
          element.remove();
        }
      });
    });
    empty();
    filters();
    // Places change only when there is somebody new to place: a call that comes or goes moves nobody.
    if (first || cy.nodes(".fresh").nonempty()) await relayout();
    else if (shape) {
      routes();
      overlay?.moved();
    }
    overlay?.draw();
    show();
  }

  function empty() {
    const none = model.nodes.size === 0;
    q("[data-empty]").hidden = !none;
    q("[data-loading]").hidden = none || root.dataset.ready === "true";
  }

  // Positions from ELK; a node that was dragged stays where it was put.
  async function relayout({ forget = false } = {}) {
    if (forget) dragged = new Set();
    again = true;
    arranging ??= inTurn(); // one at a time; what came meanwhile is placed after it
    await arranging;
  }

  async function inTurn() {
    while (again && !cy.destroyed()) {
      again = false;
      await place();
    }
    arranging = null;
  }

  async function place() {
    // A large graph is drawn in plain columns at once, and moves to better places when they are found.
    if (first && model.nodes.size > LARGE) await put(plain(model), { drawn: false });
    const roomy = !root.dataset.ready || model.nodes.size > LARGE;
    let result;
    try {
      const drawn = boxes();
      const known = new Set(drawn.map((b) => b.id));
      const nodes = [...model.nodes.values()].map((n) => ({ id: n.id, parent: parentOf(n, known) }));
      result = await arrange(nodes, [...model.edges.values()], drawn);
    } catch (error) {
      console.warn("The layout engine failed; a plain one is used.", error);
      result = plain(model);
    }
    if (cy.destroyed()) return;
    const seen = cy.extent();
    const all = cy.elements(":visible").boundingBox();
    const whole = all.x1 >= seen.x1 && all.x2 <= seen.x2 && all.y1 >= seen.y1 && all.y2 <= seen.y2;
    await put(result);
    if (roomy && whole) fit(false); // whoever looks at the whole goes on doing so; whoever has zoomed in is left there
  }

  async function put(result, { drawn = true } = {}) {
    const kept = new Map([...dragged].map((id) => [id, cy.getElementById(id)]).filter(([, n]) => n.nonempty()).map(([id, n]) => [id, { ...n.position() }]));
    bends = result.bends;
    const still = first || cy.nodes().length > 120 || matchMedia("(prefers-reduced-motion: reduce)").matches;
    const moves = [];
    cy.startBatch();
    cy.nodes().not(".box").forEach((n) => {
      const to = kept.get(n.id()) ?? result.positions.get(n.id());
      if (!to) return;
      if (still || n.hasClass("fresh")) n.position(to);
      else if (Math.hypot(n.position("x") - to.x, n.position("y") - to.y) > 1) moves.push(n.animation({ position: to, duration: 260, easing: "ease-in-out-cubic" }).play().promise());
      n.removeClass("fresh");
    });
    cy.endBatch();
    await Promise.all(moves);
    routes();
    if (first && cy.nodes().nonempty()) {
      first = false;
      fit(false, drawn ? undefined : extent(result.positions.values()));
      root.dataset.ready = "true";
      q("[data-loading]").hidden = true;
      if (state.select) choose(state.select, { centre: false });
    }
    overlay?.moved();
  }

  function routes() {
    cy.batch(() => cy.edges().forEach((edge) => route(edge, { bends: bends.get(edge.id()) ?? [], moved: dragged.has(edge.source().id()) || dragged.has(edge.target().id()) })));
  }

  function fit(animate = true, wide = cy.elements(":visible").boundingBox()) {
    if (!(wide.w > 0)) return;
    const zoom = Math.max(cy.minZoom(), Math.min(1.15, (cy.width() - 88) / wide.w, (cy.height() - 96) / wide.h));
    const pan = { x: cy.width() / 2 - zoom * (wide.x1 + wide.w / 2), y: cy.height() / 2 - zoom * (wide.y1 + wide.h / 2) };
    if (animate && !matchMedia("(prefers-reduced-motion: reduce)").matches) cy.animate({ zoom, pan, duration: 220, easing: "ease-in-out-cubic" });
    else cy.viewport({ zoom, pan });
  }

  // --- selection and panel
  function choose(id, { centre = true } = {}) {
    const element = cy.getElementById(id);
    cy.elements().unselect();
    if (element.empty()) {
      state.select = "";
    } else {
      element.select();
      state.select = id;
      const visible = cy.extent();
      const at = element.isNode() ? element.position() : element.midpoint();
      if (centre && (at.x < visible.x1 || at.x > visible.x2 || at.y < visible.y1 || at.y > visible.y2)) cy.animate({ center: { eles: element }, duration: 200 });
    }
    focus();
    remember();
    show();
  }

  // What has nothing to do with the selection steps back.
  function focus() {
    cy.batch(() => {
      cy.elements().removeClass("faded");
      const element = state.select ? cy.getElementById(state.select) : cy.collection();
      if (element.empty()) return;
      const near = element.isNode() ? element.closedNeighborhood() : element.union(element.connectedNodes());
      cy.elements().not(near).not(".box").addClass("faded");
    });
    overlay?.draw();
  }

  let shown = "";
  function show() {
    const id = state.select;
    const html = model.nodes.has(id) ? panels.node(model.nodes.get(id), model) : model.edges.has(id) ? panels.edge(model.edges.get(id), model, comparison.facts(model.edges.get(id))) : !model.head ? "" : comparison.on ? comparison.panel(model) : panels.mesh(model);
    if (html !== shown) {
      const active = panel.contains(document.activeElement) ? document.activeElement.dataset.select : null;
      const top = panel.scrollTop;
      panel.innerHTML = html;
      panel.scrollTop = top;
      shown = html;
      if (active) panel.querySelector(`[data-select="${CSS.escape(active)}"]`)?.focus();
    }
    if (state.view === "table" && model.head) twin.innerHTML = panels.table(model);
    const said = q("[data-said]");
    const text = model.head ? `${model.nodes.size} nodes, ${model.edges.size} edges, ${[...model.edges.values()].filter((e) => e.health.status === "failure").length} failing` : "";
    if (said.textContent !== text) said.textContent = text;
  }

  // --- find and hide
  function filters() {
    const found = parse(state.find);
    const hidden = parse(state.hide);
    cy.batch(() => {
      cy.elements().removeClass("found hidden");
      for (const n of model.nodes.values()) {
        const element = cy.getElementById(n.id);
        if (hidden?.node(n)) element.addClass("hidden");
        else if (found?.node(n)) element.addClass("found");
      }
      for (const e of model.edges.values()) {
        const element = cy.getElementById(e.id);
        if (hidden?.edge(e)) element.addClass("hidden");
        else if (found?.edge(e)) element.addClass("found");
      }
      cy.nodes(".box").forEach((b) => {
        if (b.descendants().not(".box").not(".hidden").empty()) b.addClass("hidden");
      });
    });
    const count = cy.elements(".found").length;
    q("[data-found]").textContent = state.find ? `${count} found` : "";
  }

  // --- controls
  function controls() {
    for (const button of root.querySelectorAll("[data-set]")) {
      const [key, value] = button.dataset.set.split("=");
      const on = value === undefined ? state[key] === "1" : state[key] === value;
      button.setAttribute(button.hasAttribute("role") ? "aria-checked" : "aria-pressed", String(on));
    }
    for (const input of root.querySelectorAll("[data-text]")) if (document.activeElement !== input) input.value = state[input.dataset.text];
    for (const select of root.querySelectorAll("select[data-choice]")) select.value = state[select.dataset.choice];
    q("[data-graph-view]").hidden = state.view !== "graph";
    twin.hidden = state.view !== "table";
    q("[data-do=replay]").setAttribute("aria-pressed", String(time.shown));
  }

  function changed(key) {
    remember();
    controls();
    if (key === "compare") comparison.set(state.compare);
    else if (["kind", "window", "idle", "at"].includes(key)) {
      if (key === "kind") {
        state.select = "";
        first = true;
        dragged = new Set();
      }
      subscribe();
      comparison.load();
    } else if (key === "boxes") {
      cy.elements().remove();
      first = true;
      sync(true);
    } else if (key === "find" || key === "hide") {
      filters();
      overlay?.moved();
    } else if (key === "view") {
      show();
      if (state.view === "graph") {
        cy.resize();
        overlay?.size();
      }
    } else overlay?.draw();
  }

  const onClick = async (event) => {
    const set = event.target.closest("[data-set]");
    if (set) {
      const [key, value] = set.dataset.set.split("=");
      state[key] = value === undefined ? (state[key] === "1" ? "0" : "1") : value;
      return changed(key);
    }
    const select = event.target.closest("[data-select]");
    if (select) return choose(select.dataset.select);
    if (event.target.closest("[data-close]")) return choose("");
    const act = event.target.closest("[data-do]")?.dataset.do;
    if (act === "fit") fit();
    else if (act === "replay") {
      time.open(!time.shown);
      controls();
    } else if (act === "in" || act === "out") cy.animate({ zoom: { level: cy.zoom() * (act === "in" ? 1.3 : 1 / 1.3), renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } }, duration: 140 });
    else if (act === "arrange") {
      await relayout({ forget: true });
      fit();
    } else if (act === "png") save(await png(graph), "topology.png");
    else if (act === "svg") save(svg(graph), "topology.svg");
    else if (act === "json") save(new Blob([JSON.stringify({ ...model.head, nodes: [...model.nodes.values()], edges: [...model.edges.values()], boxes: [...model.boxes.values()] }, null, 2)], { type: "application/json" }), "topology.json");
  };
  let typing;
  const onInput = (event) => {
    const text = event.target.dataset.text;
    if (!text) return;
    clearTimeout(typing);
    typing = setTimeout(() => {
      state[text] = event.target.value;
      changed(text);
    }, 160);
  };
  const onChange = (event) => {
    const choice = event.target.dataset.choice;
    if (!choice) return;
    state[choice] = event.target.value;
    changed(choice);
  };
  root.addEventListener("click", onClick);
  root.addEventListener("input", onInput);
  root.addEventListener("change", onChange);

  const canvas = q("[data-graph]");
  const onKey = keys({ cy, selected: () => state.select, choose, fit, open: () => panel.querySelector("a, button")?.focus() });
  canvas.addEventListener("keydown", onKey);

  cy.on("tap", (event) => {
    if (event.target === cy) choose("");
    else if (!event.target.hasClass("box")) choose(event.target.id(), { centre: false });
  });
  cy.on("dbltap", "node", (event) => {
    const n = model.nodes.get(event.target.id());
    const to = panel.querySelector(".row a.btn");
    if (n && to) location.assign(to.href);
  });
  cy.on("mouseover", "node, edge", () => (canvas.style.cursor = "pointer"));
  cy.on("mouseout", "node, edge", () => (canvas.style.cursor = ""));
  cy.on("drag", "node", (event) => {
    dragged.add(event.target.id());
    event.target.connectedEdges().forEach(route);
  });
  let pending = 0;
  const redraw = () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => overlay?.moved());
  };
  cy.on("pan zoom resize position", redraw);

  const onTheme = () => {
    colors = palette();
    cy.style(styles(colors));
    if (model.head) sync(false);
    overlay?.draw();
  };
  document.addEventListener("meshconsole:theme", onTheme);
  const onLive = (event) => (event.detail ? subscribe() : feed.pause());
  document.addEventListener("meshconsole:live", onLive);

  root.graph = graph; // for tests, and for the console of whoever debugs
  controls();
  remember();
  if (isLive() || state.at) subscribe();
  dressed.then(() => {
    if (cy.destroyed()) return;
    overlay = new Overlay(stage, graph);
    if (state.compare) comparison.set(state.compare);
  });

  return {
    stop() {
      feed.stop();
      time.stop();
      comparison.stop();
      overlay?.stop();
      document.removeEventListener("meshconsole:theme", onTheme);
      document.removeEventListener("meshconsole:live", onLive);
      cy.destroy();
    },
  };
}

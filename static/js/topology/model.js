// The graph as the browser knows it: elements by id, kept true by diffs over /ws/topology (described in meshconsole/topology/graph.py).
export class Model {
  constructor() {
    this.nodes = new Map();
    this.edges = new Map();
    this.boxes = new Map();
    this.head = null;
  }

  replace(graph) {
    for (const part of ["nodes", "edges", "boxes"]) this[part] = new Map(graph[part].map((e) => [e.id, e]));
    this.head = graph;
    return { shape: true };
  }

  // True `shape` when elements came or went; `changed` are the ids of those that moved.
  apply(diff) {
    const changed = new Set();
    let shape = false;
    for (const part of ["nodes", "edges", "boxes"]) {
      const { add = [], change = [], remove = [] } = diff[part] ?? {};
      for (const id of remove) this[part].delete(id);
      for (const e of add) this[part].set(e.id, e);
      for (const e of change) {
        const old = this[part].get(e.id);
        if (!old) continue;
        if (part !== "edges" && "parent" in e) shape = true;
        this[part].set(e.id, { ...old, ...e });
        changed.add(e.id);
      }
      shape ||= add.length > 0 || remove.length > 0;
    }
    this.head = { ...this.head, ...diff, nodes: undefined, edges: undefined, boxes: undefined };
    return { shape, changed };
  }

  into(id) {
    return [...this.edges.values()].filter((e) => e.target === id);
  }

  outOf(id) {
    return [...this.edges.values()].filter((e) => e.source === id);
  }
}

// A socket that comes back by itself, with the same subscription.
export class Feed {
  constructor({ onGraph, onDiff, onState, onError }) {
    Object.assign(this, { onGraph, onDiff, onState, onError });
    this.question = null;
    this.tries = 0;
    this.closed = false;
  }

  subscribe(question) {
    this.question = question;
    if (this.socket?.readyState === WebSocket.OPEN) this.ask();
    else this.connect();
  }

  ask() {
    this.socket.send(JSON.stringify({ subscribe: this.question }));
  }

  pause() {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ unsubscribe: true }));
    this.onState("paused");
  }

  connect() {
    if (this.closed || (this.socket && this.socket.readyState < WebSocket.CLOSING)) return;
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/topology`);
    this.socket = socket;
    socket.onopen = () => {
      this.tries = 0;
      this.ask();
    };
    socket.onmessage = (event) => {
      const frame = JSON.parse(event.data);
      if (frame.graph) {
        this.onState("live");
        this.onGraph(frame.graph);
      } else if (frame.diff) this.onDiff(frame.diff);
      else if (frame.error) this.onError(frame.error.message);
    };
    socket.onclose = (event) => {
      if (this.closed) return;
      if (event.code === 4401) return location.assign(`/login/?next=${encodeURIComponent(location.pathname + location.search)}`);
      this.onState("lost");
      this.tries += 1;
      setTimeout(() => this.connect(), Math.min(15_000, 500 * 2 ** this.tries) * (0.7 + Math.random() * 0.6));
    };
  }

  stop() {
    this.closed = true;
    this.socket?.close();
  }
}

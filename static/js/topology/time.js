// The time slider: which moment the graph shows. A strip of bars says when the mesh was busy and broken; play walks through it.
const SVG = "http://www.w3.org/2000/svg";
const PLAY = 900; // milliseconds for each step
const STEPS = 120;

export function clock(at) {
  const d = new Date(at);
  const day = d.toDateString() === new Date().toDateString() ? "" : `${d.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} `;
  return `${day}${d.toLocaleTimeString("en-GB")}`;
}

export class TimeBar {
  // onMoment(iso or "") is called when another moment is chosen; "" is now.
  constructor(root, { at, onMoment, query }) {
    Object.assign(this, { root, at, onMoment, query, step: 30, start: 0, timer: 0 });
    this.q = (name) => root.querySelector(`[data-time="${name}"]`);
    this.slider = this.q("slider");
    root.addEventListener("input", (event) => {
      if (event.target === this.slider) this.choose(Number(this.slider.value));
    });
    root.addEventListener("change", (event) => {
      if (event.target === this.q("span")) this.load();
    });
    root.addEventListener("click", (event) => {
      const what = event.target.closest("[data-time]")?.dataset.time;
      if (what === "now") this.now();
      else if (what === "play") this.play(!this.timer);
    });
    if (at) this.open(true);
  }

  get shown() {
    return !this.root.hidden;
  }

  open(on) {
    this.root.hidden = !on;
    if (on) this.load();
    else this.now();
  }

  now() {
    this.play(false);
    this.slider.value = this.slider.max;
    if (this.at) this.onMoment((this.at = ""));
    this.say();
  }

  async load() {
    const span = this.q("span").value;
    this.slider.disabled = !this.end; // which moment a place means is only known when the strip is there
    try {
      const answer = await fetch(`/api/v1/topology/strip?span=${span}&${this.query()}`, { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(`${answer.status}`);
      this.draw(await answer.json());
    } catch (error) {
      this.q("said").textContent = "The past could not be read.";
      console.warn(error);
    }
  }

  draw(strip) {
    const n = Math.max(1, strip.rate.length);
    Object.assign(this, { start: strip.start, step: strip.step, end: strip.end });
    this.slider.max = n;
    this.slider.disabled = false;
    this.slider.value = this.at ? Math.round((Date.parse(this.at) / 1000 - this.start) / this.step) : n;
    const most = Math.max(...strip.rate, 1e-9);
    const svg = this.q("strip");
    svg.setAttribute("viewBox", `0 0 ${n} 24`);
    svg.replaceChildren();
    strip.rate.forEach((rate, i) => {
      if (!(rate > 0)) return;
      const tall = Math.max(1.5, (rate / most) * 22);
      const broken = strip.errors[i] > 0 ? Math.max(1.5, tall * Math.min(1, strip.errors[i])) : 0;
      for (const [height, css] of [[tall, "ok"], [broken, "bad"]]) {
        if (!height) continue;
        const bar = document.createElementNS(SVG, "rect");
        for (const [k, v] of Object.entries({ x: i + 0.12, width: 0.76, y: 24 - height, height, class: css })) bar.setAttribute(k, v);
        svg.append(bar);
      }
    });
    this.say();
  }

  choose(position) {
    this.at = position >= Number(this.slider.max) ? "" : new Date((this.start + position * this.step) * 1000).toISOString().replace(/\.\d+Z$/, "Z");
    this.say();
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.onMoment(this.at), 120);
  }

  play(on) {
    clearInterval(this.timer);
    this.timer = 0;
    if (on) {
      if (Number(this.slider.value) >= Number(this.slider.max)) this.slider.value = Math.max(0, Number(this.slider.max) - STEPS);
      this.timer = setInterval(() => {
        const next = Number(this.slider.value) + 1;
        this.slider.value = next;
        this.choose(next);
        if (next >= Number(this.slider.max)) this.play(false);
      }, PLAY);
    }
    this.q("play").setAttribute("aria-pressed", String(on));
  }

  say() {
    this.q("said").textContent = this.at ? clock(this.at) : "Now";
    this.slider.setAttribute("aria-valuetext", this.q("said").textContent);
    this.q("now").setAttribute("aria-pressed", String(!this.at));
  }

  stop() {
    clearInterval(this.timer);
    clearTimeout(this.waiting);
  }
}

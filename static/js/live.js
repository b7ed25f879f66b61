// Pages stay true while one looks at them: every region with [data-live] is fetched again and morphed in place, unless paused or hidden.
import { Idiomorph } from "idiomorph";
import { mount, unmount } from "./components.js";
import htmx from "./htmx.js";

const DEFAULT_SECONDS = 5;
let paused = false;
let busy = false;
let failures = 0;
let timer;

function regions() {
  return [...document.querySelectorAll("[data-live]")];
}

function seconds() {
  const asked = regions().map((r) => Number(r.dataset.live) || DEFAULT_SECONDS);
  return asked.length ? Math.min(...asked) : DEFAULT_SECONDS;
}

export async function refresh() {
  const found = regions();
  if (!found.length || busy) return;
  busy = true;
  const address = location.href;
  try {
    const response = await fetch(address, { headers: { "HX-Request": "true", "X-Requested-With": "live" }, redirect: "manual", cache: "no-store" });
    if (response.type === "opaqueredirect") return location.reload(); // the session ended
    if (!response.ok) throw new Error(`status ${response.status}`);
    const text = await response.text();
    if (address !== location.href) return;
    const page = new DOMParser().parseFromString(text, "text/html");
    for (const region of found) {
      const fresh = page.getElementById(region.id);
      if (!fresh || !region.isConnected || region.matches(":has(dialog[open])")) continue;
      Idiomorph.morph(region, fresh, {
        ignoreActiveValue: true,
        callbacks: {
          beforeNodeRemoved: (node) => {
            if (node.nodeType === 1) unmount(node);
          },
        },
      });
      mount(region);
      htmx.process(region);
    }
    failures = 0;
  } catch {
    failures += 1;
  } finally {
    busy = false;
    show();
  }
}

function show() {
  for (const toggle of document.querySelectorAll("[data-live-toggle]")) {
    toggle.setAttribute("aria-pressed", String(!paused));
    toggle.disabled = !regions().length && !document.querySelector('[data-component="topology"]');
    const glyph = toggle.querySelector("use");
    const sprite = document.body.dataset.icons;
    glyph?.setAttribute("href", `${sprite}#${paused ? "play" : "pause"}`);
    toggle.title = paused ? "Paused. Press to go live again." : "Live: this page refreshes by itself. Press to pause.";
  }
  let banner = document.getElementById("offline");
  if (failures >= 2 && !banner) {
    banner = document.createElement("div");
    banner.id = "offline";
    banner.className = "toast error";
    banner.textContent = "The console does not answer; what you see is from before. Trying again…";
    document.getElementById("toasts")?.append(banner);
  } else if (failures < 2) banner?.remove();
}

function tick() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    if (!paused && !document.hidden) await refresh();
    tick();
  }, seconds() * 1000 * Math.min(6, 1 + failures));
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-live-toggle]")) return;
  paused = !paused;
  document.dispatchEvent(new CustomEvent("meshconsole:live", { detail: !paused }));
  show();
  if (!paused) refresh();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !paused) refresh();
});
document.addEventListener("meshconsole:refresh", () => refresh());
document.addEventListener("htmx:afterSettle", () => {
  show();
  tick();
});
show();
tick();

export function isLive() {
  return !paused;
}

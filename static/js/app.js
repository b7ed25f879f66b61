// What every page has. Components (charts, the graph, editors) are chunks of their own, loaded where a page has a [data-component].
import htmx from "./htmx.js";
import { Idiomorph } from "idiomorph";
import { mount, unmount } from "./components.js";
import "./live.js";
import "./menus.js";
import "./palette.js";
import "./shortcuts.js";
import "./small.js";

// Whatever script drew stays as it is when a page is refreshed in place.
Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) => !(old.nodeType === 1 && old.hasAttribute("data-keep"));

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = document.querySelector('meta[name="csrf-token"]').content;
});
document.addEventListener("htmx:load", (event) => mount(event.detail.elt));
document.addEventListener("htmx:beforeCleanupElement", (event) => unmount(event.detail.elt));

// A thin line says that a page is on its way, but only when it takes longer than an eye blink.
let waiting;
document.addEventListener("htmx:beforeRequest", (event) => {
  if (!event.detail.boosted) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => document.getElementById("progress")?.classList.add("on"), 150);
});
document.addEventListener("htmx:afterRequest", () => {
  clearTimeout(waiting);
  document.getElementById("progress")?.classList.remove("on");
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (!event.detail.boosted) return;
  document.getElementById("main")?.focus({ preventScroll: true });
  announce(document.title);
});
document.addEventListener("htmx:sendError", () => toast("The console does not answer. Is it running?", "error"));
document.addEventListener("htmx:responseError", (event) => {
  const { status } = event.detail.xhr;
  if (status === 403) toast("You may not do this.", "error");
  else if (status >= 500) toast(`The console answered with status ${status}.`, "error");
});
document.addEventListener("htmx:beforeSwap", (event) => {
  // Pages of errors are pages: a boosted link that leads to a 404 shows it.
  if (event.detail.boosted && event.detail.xhr.status >= 400 && event.detail.xhr.status < 500) event.detail.shouldSwap = true;
});

export function announce(text) {
  let node = document.getElementById("announcer");
  if (!node) {
    node = document.createElement("div");
    node.id = "announcer";
    node.className = "sr";
    node.setAttribute("aria-live", "polite");
    document.body.append(node);
  }
  node.textContent = text;
}

export function toast(text, kind = "success") {
  document.dispatchEvent(new CustomEvent("meshconsole:toast", { detail: { text, kind } }));
}

mount(document.body);
htmx.process(document.body);

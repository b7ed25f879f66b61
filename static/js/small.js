// Small courtesies: copy buttons, times that stay true, rows that lead somewhere, toasts that leave, filters, confirmations.
function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${document.body.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
}

async function copy(button) {
  const source = button.dataset.copyFrom ? document.querySelector(button.dataset.copyFrom) : null;
  const text = source ? (source.value ?? source.textContent) : button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without https the clipboard is closed to scripts; the old way still works.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "sr";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const use = button.querySelector("use");
  const before = use?.getAttribute("href");
  button.classList.add("done");
  use?.setAttribute("href", `${document.body.dataset.icons}#check`);
  setTimeout(() => {
    button.classList.remove("done");
    if (before) use.setAttribute("href", before);
  }, 1400);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (button) return void copy(button);
  const row = event.target.closest("tr.go");
  if (row && !event.target.closest("a, button, input, label") && !getSelection().toString()) row.querySelector("a[href]")?.click();
});

document.addEventListener("submit", (event) => {
  const ask = event.target.dataset.confirm;
  if (ask && !confirm(ask)) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, true);

// Filters over what the page already holds: [data-filter="#table"].
document.addEventListener("input", (event) => {
  const selector = event.target.dataset?.filter;
  if (selector) filter(event.target, selector);
});
function filter(input, selector) {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const target = document.querySelector(selector);
  if (!target) return;
  let shown = 0;
  for (const row of target.querySelectorAll("[data-row]")) {
    const text = (row.dataset.row || row.textContent).toLowerCase();
    row.hidden = !words.every((w) => text.includes(w));
    shown += row.hidden ? 0 : 1;
  }
  const none = target.querySelector("[data-none]");
  if (none) none.hidden = shown > 0;
}
document.addEventListener("htmx:load", () => document.querySelectorAll("[data-filter]").forEach((i) => i.value && filter(i, i.dataset.filter)));

export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  for (const [size, unit, below, belowUnit] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"]]) {
    if (s >= size) {
      const rest = Math.floor((s % size) / below);
      return `${Math.floor(s / size)} ${unit}` + (rest && s < 10 * size ? ` ${rest} ${belowUnit}` : "");
    }
  }
  return s >= 60 ? `${Math.floor(s / 60)} min` : `${s} s`;
}
function times() {
  const now = Date.now();
  for (const node of document.querySelectorAll("time[data-ago], time[data-until]")) {
    const seconds = (new Date(node.dateTime) - now) / 1000;
    let text;
    if (node.hasAttribute("data-until")) text = seconds > 0 ? `in ${span(seconds)}` : `${span(-seconds)} ago`;
    else text = -seconds < 5 ? "just now" : `${span(-seconds)} ago`;
    if (node.textContent !== text) node.textContent = text;
  }
}
setInterval(times, 1000);

function leave(toast) {
  setTimeout(() => toast.remove(), toast.classList.contains("error") ? 9000 : 4500);
}
document.addEventListener("meshconsole:toast", (event) => {
  const { text, kind } = event.detail;
  const toast = document.createElement("div");
  toast.className = `toast ${kind}`;
  const said = document.createElement("span");
  said.textContent = text;
  toast.append(icon(kind === "error" ? "octagon-alert" : kind === "warning" ? "triangle-alert" : "circle-check"), said);
  document.getElementById("toasts")?.append(toast);
  leave(toast);
});
function arrivals() {
  for (const toast of document.querySelectorAll("[data-toast]")) {
    toast.removeAttribute("data-toast");
    leave(toast);
  }
}
document.addEventListener("htmx:load", arrivals);
arrivals();

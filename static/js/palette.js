// Ctrl+K: everything in the mesh and every page, by a few letters.
let entries = null;
let loadedAt = 0;
let chosen = 0;
let shown = [];

const palette = () => document.getElementById("palette");

async function load() {
  if (entries && Date.now() - loadedAt < 30_000) return;
  try {
    const response = await fetch(document.body.dataset.palette, { headers: { Accept: "application/json" } });
    entries = (await response.json()).entries;
    loadedAt = Date.now();
  } catch {
    entries ??= [];
  }
}

// Every letter of the question in order; runs and beginnings of words count more.
function score(text, question) {
  let at = 0;
  let points = 0;
  let run = 0;
  for (const letter of question) {
    const found = text.indexOf(letter, at);
    if (found < 0) return -1;
    run = found === at ? run + 1 : 0;
    points += 1 + run * 2 + (found === 0 || /[\s/\-.]/.test(text[found - 1]) ? 3 : 0);
    at = found + 1;
  }
  return points - text.length * 0.02;
}

function search(question) {
  if (!entries) return [];
  const q = question.trim().toLowerCase().replace(/\s+/g, "");
  if (!q) return entries.filter((e) => e.group === "Pages" || e.group === "Actions").slice(0, 14);
  return entries
    .map((e) => [score(`${e.title} ${e.where ?? ""}`.toLowerCase(), q), e])
    .filter(([points]) => points > 0)
    .sort((a, b) => b[0] - a[0])
    .slice(0, 24)
    .map(([, e]) => e);
}

function draw() {
  const list = document.getElementById("palette-results");
  const input = palette().querySelector("input");
  shown = search(input.value);
  chosen = Math.min(chosen, Math.max(0, shown.length - 1));
  list.replaceChildren();
  let group = null;
  // Groups stay together, in the order of their best entry.
  const order = [...new Set(shown.map((e) => e.group))];
  shown = order.flatMap((g) => shown.filter((e) => e.group === g));
  shown.forEach((entry, i) => {
    if (entry.group !== group) {
      group = entry.group;
      const h = document.createElement("h3");
      h.textContent = group;
      list.append(h);
    }
    const option = document.createElement("div");
    option.setAttribute("role", "option");
    option.id = `palette-${i}`;
    option.dataset.at = i;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "icon");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `${document.body.dataset.icons}#${entry.icon}`);
    svg.append(use);
    const title = document.createElement("span");
    title.textContent = entry.title;
    const where = document.createElement("span");
    where.className = "where";
    where.textContent = entry.where ?? "";
    option.append(svg, title, where);
    list.append(option);
  });
  if (!entries) return;
  if (!shown.length) {
    const none = document.createElement("p");
    none.className = "empty small muted";
    none.textContent = "Nothing by that name.";
    list.append(none);
  }
  select(chosen);
}

function select(i) {
  chosen = i;
  const input = palette().querySelector("input");
  for (const option of palette().querySelectorAll("[role=option]")) {
    const is = Number(option.dataset.at) === i;
    option.setAttribute("aria-selected", String(is));
    if (is) {
      input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    }
  }
}

function open(entry) {
  palette().close();
  if (entry) location.assign(entry.url);
}

async function show() {
  const dialog = palette();
  if (!dialog || dialog.open) return;
  dialog.showModal();
  const input = dialog.querySelector("input");
  input.value = "";
  chosen = 0;
  await load();
  draw();
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    show();
    return;
  }
  if (!palette()?.open) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (shown.length) select((chosen + (event.key === "ArrowDown" ? 1 : shown.length - 1)) % shown.length);
  } else if (event.key === "Enter") {
    event.preventDefault();
    open(shown[chosen]);
  }
});
document.addEventListener("input", (event) => {
  if (!event.target.closest("#palette")) return;
  chosen = 0;
  draw();
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-open-palette]")) show();
  const option = event.target.closest("#palette [role=option]");
  if (option) open(shown[Number(option.dataset.at)]);
});
document.addEventListener("mousemove", (event) => {
  const option = event.target.closest?.("#palette [role=option]");
  if (option && Number(option.dataset.at) !== chosen) select(Number(option.dataset.at));
});

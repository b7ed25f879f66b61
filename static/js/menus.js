// <details class="menu">: one open at a time, closed by Escape, by a click outside and by a choice. Dialogs: opened and closed by attributes.
document.addEventListener("click", (event) => {
  const inside = event.target.closest("details.menu");
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== inside) menu.open = false;
  if (inside && event.target.closest(".pop a, .pop button.item:not([data-stay])")) inside.open = false;

  const theme = event.target.closest("[data-theme-choice]");
  if (theme) document.dispatchEvent(new CustomEvent("meshconsole:choose-theme", { detail: theme.dataset.themeChoice }));

  const opens = event.target.closest("[data-open-dialog]");
  if (opens) document.getElementById(opens.dataset.openDialog)?.showModal();
  if (event.target.closest("[data-close-dialog]")) event.target.closest("dialog")?.close();
  if (event.target.matches("dialog")) event.target.close(); // the backdrop
});

document.addEventListener("keydown", (event) => {
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  if (event.key === "Escape") {
    menu.open = false;
    menu.querySelector("summary").focus();
    event.stopPropagation();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const items = [...menu.querySelectorAll(".pop a, .pop button.item")];
    const at = items.indexOf(document.activeElement);
    const next = event.key === "ArrowDown" ? at + 1 : at - 1;
    items[(next + items.length) % items.length]?.focus();
    event.preventDefault();
  }
});

function mark() {
  const chosen = document.documentElement.dataset.themeChoice;
  for (const item of document.querySelectorAll("[data-theme-choice]")) {
    if (item.tagName === "BUTTON") item.setAttribute("aria-checked", String(item.dataset.themeChoice === chosen));
  }
  const glyph = document.querySelector('summary[aria-label="Theme"] use');
  glyph?.setAttribute("href", `${document.body.dataset.icons}#${document.documentElement.dataset.theme === "dark" ? "moon" : "sun"}`);
}
document.addEventListener("meshconsole:theme", mark);
document.addEventListener("htmx:load", mark);
mark();

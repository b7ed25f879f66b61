// `g` then a letter goes to a page, `/` filters, `?` shows the list, Ctrl+K searches everything (palette.js).
let afterG = 0;

function writing(target) {
  return target.closest?.("input, textarea, select, [contenteditable], .cm-editor") || document.querySelector("dialog[open]");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || writing(event.composedPath()[0] ?? event.target) || event.target.closest?.("[data-keys]")) return;
  if (afterG && Date.now() - afterG < 1200) {
    afterG = 0;
    const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    if (link) {
      event.preventDefault();
      link.click();
      return;
    }
  }
  if (event.key === "g") afterG = Date.now();
  else if (event.key === "/") {
    const field = document.querySelector("[data-find], [data-filter], main input[type=search]");
    if (field) {
      event.preventDefault();
      field.focus();
      field.select?.();
    }
  } else if (event.key === "?") document.getElementById("shortcuts")?.showModal();
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-open-shortcuts]")) document.getElementById("shortcuts")?.showModal();
});

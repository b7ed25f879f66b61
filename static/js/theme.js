// Runs before the first paint: the chosen theme, or the system's. Loaded as a plain script in <head>, so that nothing flashes.
const key = "meshconsole.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

function choice() {
  try {
    return localStorage.getItem(key) || "system";
  } catch {
    return "system";
  }
}

function show() {
  const chosen = choice();
  const theme = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
  document.documentElement.dataset.theme = theme;
  document.documentElement.dataset.themeChoice = chosen;
  document.dispatchEvent(new CustomEvent("meshconsole:theme", { detail: theme }));
}

dark.addEventListener("change", show);
document.addEventListener("meshconsole:choose-theme", (event) => {
  try {
    localStorage.setItem(key, event.detail);
  } catch {
    // Private windows without storage: the choice lasts as long as the page.
  }
  show();
});
show();

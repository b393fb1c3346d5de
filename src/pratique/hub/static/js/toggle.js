// The button that changes between light and dark.
export function startTheme() {
  for (const button of document.querySelectorAll("[data-theme-toggle]")) {
    button.addEventListener("click", () => choose(isDark() ? "light" : "dark"));
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", announce);
}

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function choose(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("pratique-theme", theme);
  } catch {
    // It holds for this page at least.
  }
  announce();
}

// Canvases have to be drawn anew: they do not follow the style sheet.
function announce() {
  document.dispatchEvent(new CustomEvent("themechange"));
}

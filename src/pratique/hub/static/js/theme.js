// Runs before the first paint: the theme that was chosen in this browser; without one, the system's holds.
(() => {
  try {
    const theme = localStorage.getItem("pratique-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // A browser that keeps nothing has the system's theme.
  }
})();

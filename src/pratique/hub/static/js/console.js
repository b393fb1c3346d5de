// The console's entry: starts what the page has a place for.
import { startLive } from "./live.js";
import { startRequests } from "./requests.js";
import { showTimes } from "./times.js";
import { startTheme } from "./toggle.js";

const PICTURES = [
  ["[data-map], [data-graph]", "./map.js"],
  ["[data-chart]", "./chart.js"],
];

startTheme();
startRequests();
startLive();

async function draw(root) {
  for (const [selector, module] of PICTURES) {
    const places = [...root.querySelectorAll(selector)].filter((place) => !place.dataset.picture);
    if (!places.length) continue;
    for (const place of places) place.dataset.picture = "coming";
    const { start } = await import(module);
    for (const place of places) {
      await start(place);
      place.dataset.picture = "ready";
    }
  }
}

function show() {
  showTimes(document);
  draw(document);
}

show();
document.addEventListener("htmx:after:swap", show);

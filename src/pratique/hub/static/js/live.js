// What happens on the host, as it happens: one stream of events for each tab.
//
// An event's data is {"html": a table row or "", "data": what the API tells}. The row goes to the top of each
// <tbody data-live="KIND">, in place of a row with the same id; `live:KIND` is then told to whoever listens on <body>.
import { showTimes } from "./times.js";

const KINDS = ["alert", "decision", "flow", "container"];
const SILENCE_MS = 4000;
const ROWS = 200;

const waiting = new Map();
let silence = 0;

export function startLive() {
  const address = document.body.dataset.events;
  if (!address) return;
  const source = new EventSource(address);
  source.addEventListener("open", () => showState("live", "Live"));
  source.addEventListener("error", () => {
    const ended = source.readyState === EventSource.CLOSED;
    showState("lost", ended ? "Not live: load the page again" : "Connecting …");
  });
  for (const kind of KINDS) {
    source.addEventListener(kind, ({ data }) => deliver(kind, JSON.parse(data)));
  }
  addEventListener("pagehide", () => source.close());
}

export function announce(text) {
  const region = document.getElementById("live");
  if (region) region.textContent = text;
}

function deliver(kind, { html, data }) {
  for (const list of document.querySelectorAll(`[data-live="${kind}"]`)) insert(list, html);
  document.body.dispatchEvent(new CustomEvent(`live:${kind}`, { detail: data, bubbles: true }));
  waiting.set(kind, (waiting.get(kind) ?? 0) + 1);
  silence ||= setTimeout(announceWaiting, SILENCE_MS);
}

function insert(list, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const row = template.content.firstElementChild;
  if (!row) return;
  if (row.id) document.getElementById(row.id)?.remove();
  showTimes(row);
  row.classList.add("fresh");
  list.prepend(row);
  list.querySelector(":scope > .none")?.remove();
  const limit = Number(list.dataset.liveLimit) || ROWS;
  while (list.children.length > limit) list.lastElementChild.remove();
  window.htmx?.process(row);
}

// A screen reader is told every few seconds what came, not of each row.
function announceWaiting() {
  const words = [...waiting].map(([kind, count]) => `${count} new ${kind}${count > 1 ? "s" : ""}`);
  announce(words.join(", "));
  waiting.clear();
  silence = 0;
}

function showState(state, text) {
  for (const beat of document.querySelectorAll(".beat")) {
    beat.dataset.state = state;
    beat.textContent = text;
  }
}

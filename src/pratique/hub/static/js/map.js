// A graph whose places the server computed: the service map, which lives, and the picture of a blast radius.
//
// <div data-map="ADDRESS" data-panel="#panel"> or <div data-graph="ADDRESS">. The address gives
// {"nodes": [{id, label, kind, x, y, state}], "edges": [{id, source, target, label, allowed, refused, href}]}.
// The table beside it says the same: its rows (data-edge="ID") and the graph's edges light up each other.
import cytoscape from "../vendor/cytoscape.min.mjs";
import { NODE_HEIGHT, style } from "./map-style.js";

const DENSE = 60;
const STRUCK_MS = 1600;
const PADDING = 28;

export async function start(place) {
  const answer = await fetch(place.dataset.map ?? place.dataset.graph, { headers: { Accept: "application/json" } });
  if (!answer.ok) return;
  const { nodes, edges } = await answer.json();
  const dense = edges.length > DENSE;
  await document.fonts.ready;
  // Cytoscape would add a <style>, which the page's policy forbids, unless something with this id is there.
  const standIn = document.createElement("meta");
  standIn.id = "__________cytoscape_stylesheet";
  document.head.append(standIn);
  const graph = cytoscape({
    container: place,
    elements: { nodes: nodes.map(asNode), edges: edges.map((edge) => asEdge(edge, nodes, dense)) },
    style: style(),
    layout: { name: "preset", fit: false },
    minZoom: 0.08,
    maxZoom: 2.5,
    boxSelectionEnabled: false,
    autoungrabify: true,
    hideEdgesOnViewport: dense,
    textureOnViewport: dense,
    pixelRatio: dense ? 1 : "auto",
  });
  place.graph = graph;
  fit(graph);
  document.addEventListener("themechange", () => graph.style(style()));
  listen(graph, place, dense);
  connectTools(graph, place);
  connectTwin(graph, dense);
  if (place.dataset.map) {
    document.body.addEventListener("live:flow", ({ detail }) => detail.edge && update(graph, detail, dense));
  }
}

function asNode({ x, y, ...data }) {
  return { group: "nodes", data, position: { x, y } };
}

function asEdge(edge, nodes, dense) {
  const bent = !dense && isBehind(edge, nodes);
  return { group: "edges", data: { ...edge, dense, bent, refusal: `✕ refused ${edge.label}` } };
}

// Whether a straight line between an edge's ends runs through a node that is neither of them.
function isBehind({ source, target }, nodes) {
  const [from, to] = [source, target].map((id) => nodes.find((node) => node.id === id));
  if (!from || !to || from.x === to.x) return false;
  const [left, right] = [Math.min(from.x, to.x), Math.max(from.x, to.x)];
  return nodes.some(({ x, y }) => {
    const height = from.y + ((to.y - from.y) * (x - from.x)) / (to.x - from.x);
    return x > left && x < right && Math.abs(height - y) < NODE_HEIGHT;
  });
}

// Events that come after the page add what they name and never move what is there.
function update(graph, { nodes = [], edge }, dense) {
  graph.batch(() => {
    for (const node of nodes) {
      if (graph.getElementById(node.id).empty()) graph.add(asNode(node));
    }
    const known = graph.getElementById(edge.id);
    const there = graph.nodes().map((node) => ({ id: node.id(), ...node.position() }));
    const fresh = asEdge(edge, there, dense);
    if (known.nonempty()) known.data(fresh.data);
    else if (graph.getElementById(edge.source).nonempty() && graph.getElementById(edge.target).nonempty()) graph.add(fresh);
    if (edge.struck ?? edge.refused > 0) strike(graph.getElementById(edge.id));
  });
}

function strike(edge) {
  edge.addClass("struck");
  setTimeout(() => edge.removeClass("struck"), STRUCK_MS);
}

function listen(graph, place, dense) {
  // It remembers where on the page it is, and does not see when what stands above it grows.
  place.addEventListener("pointerenter", () => graph.resize());
  graph.on("tap", "edge[href]", ({ target }) => open(target, place));
  graph.on("tap", "node[href]", ({ target }) => open(target, place));
  graph.on("tap", ({ target }) => target === graph && close(place));
  document.addEventListener("keydown", ({ key }) => key === "Escape" && close(place));
  graph.on("mouseover", "node, edge", ({ target }) => focus(graph, target, dense));
  graph.on("mouseout", "node, edge", () => unfocus(graph));
  graph.on("mouseover", "[href]", () => place.classList.add("over"));
  graph.on("mouseout", "[href]", () => place.classList.remove("over"));
}

function open(element, place) {
  const panel = place.dataset.panel;
  if (panel) window.htmx.ajax("GET", element.data("href"), { target: panel, swap: "innerHTML" });
  else location.assign(element.data("href"));
}

function close(place) {
  if (place.dataset.panel) document.querySelector(place.dataset.panel).replaceChildren();
}

// In a dense graph all the rest is left as it is: to dim a thousand elements takes longer than a frame.
function focus(graph, element, dense) {
  const near = element.isNode() ? element.closedNeighborhood() : element.union(element.connectedNodes());
  graph.batch(() => {
    if (!dense) graph.elements().not(near).addClass("dim");
    near.edges().addClass("near");
  });
}

function unfocus(graph) {
  graph.batch(() => graph.elements(".dim, .near").removeClass("dim near"));
}

function fit(graph) {
  graph.fit(undefined, PADDING);
  if (graph.zoom() > 1.1) {
    graph.zoom(1.1);
    graph.center();
  }
}

function connectTools(graph, place) {
  const centre = () => ({ x: graph.width() / 2, y: graph.height() / 2 });
  const zoom = (factor) => graph.zoom({ level: graph.zoom() * factor, renderedPosition: centre() });
  const tools = { fit: () => fit(graph), in: () => zoom(1.3), out: () => zoom(1 / 1.3) };
  for (const button of place.parentElement.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", tools[button.dataset.zoom]);
  }
}

function connectTwin(graph, dense) {
  const rowOf = ({ target }) => target.closest?.("[data-edge]");
  const enter = (event) => {
    const edge = rowOf(event) && graph.getElementById(rowOf(event).dataset.edge);
    if (edge?.nonempty()) focus(graph, edge, dense);
  };
  for (const kind of ["focusin", "mouseover"]) document.addEventListener(kind, enter);
  for (const kind of ["focusout", "mouseout"]) {
    document.addEventListener(kind, (event) => rowOf(event) && unfocus(graph));
  }
}

// How nodes and edges look. A state is told by shape, line and word as well: colour alone reaches not everybody.
import { colour } from "./colours.js";

const FONT = "Inter, system-ui, sans-serif";
export const NODE_HEIGHT = 48;
const NODE_WIDTH = 176;

export function style() {
  const [text, muted, surface, line, red, blue, orange] = [
    "text", "muted", "surface", "edge", "red", "blue", "orange",
  ].map(colour);
  const [raised, accent, flag, ground] = ["sunken", "accent", "flag", "ground"].map(colour);
  return [
    {
      selector: "node",
      style: {
        shape: "round-rectangle", width: NODE_WIDTH, height: NODE_HEIGHT,
        "background-color": surface, "border-width": 1.5, "border-color": line,
        label: "data(label)", color: text, "font-family": FONT, "font-size": 17, "font-weight": 600,
        "text-valign": "center", "text-wrap": "ellipsis", "text-max-width": NODE_WIDTH - 18, "min-zoomed-font-size": 6,
        "overlay-opacity": 0,
      },
    },
    { selector: "node[state = 'ok']", style: { "border-color": accent } },
    {
      selector: "node[kind = 'outside'], node[kind = 'internet'], node[kind = 'host']",
      style: { "background-color": raised, "border-style": "dashed", color: muted, "font-weight": 500 },
    },
    { selector: "node[kind = 'internet']", style: { shape: "ellipse" } },
    { selector: "node[kind = 'host']", style: { shape: "cut-rectangle" } },
    { selector: "node[kind = 'vulnerability']", style: { shape: "octagon", "border-color": red, "border-width": 3 } },
    { selector: "node[kind = 'package']", style: { shape: "tag", "border-color": orange, "text-max-width": 136 } },
    { selector: "node[kind = 'image']", style: { shape: "barrel" } },
    { selector: "node[state = 'learning']", style: { "border-color": blue, "border-style": "dotted" } },
    { selector: "node[state = 'unlisted']", style: { "border-color": orange, "border-style": "dashed" } },
    { selector: "node[state = 'exposed'], node[state = 'bad']", style: { "border-color": red, "border-width": 3 } },
    {
      selector: "node[state = 'quarantined']",
      style: { "border-color": flag, "border-style": "double", "border-width": 6 },
    },
    {
      selector: "edge",
      style: {
        width: 1.6, "curve-style": "bezier", "line-color": line, "control-point-step-size": 34,
        "target-arrow-shape": "triangle", "target-arrow-color": line, "arrow-scale": 0.9,
        label: "data(label)", color: muted, "font-family": FONT, "font-size": 13, "min-zoomed-font-size": 7,
        "text-background-color": ground, "text-background-opacity": 0.9, "text-background-padding": 2,
        "text-background-shape": "round-rectangle", "overlay-opacity": 0,
      },
    },
    {
      selector: "edge[?bent]",
      style: { "curve-style": "unbundled-bezier", "control-point-distances": [-64], "control-point-weights": [0.5] },
    },
    { selector: "edge[?dense]", style: { label: "", "curve-style": "straight", width: 1.2, "arrow-scale": 0.7 } },
    {
      selector: "edge[refused > 0]",
      style: {
        width: 2.6, "line-style": "dashed", "line-dash-pattern": [7, 4], "line-color": red,
        "target-arrow-color": red, "target-arrow-shape": "tee", label: "data(refusal)", color: red,
        "font-weight": 600, "z-index": 5,
      },
    },
    { selector: ".dim", style: { opacity: 0.3 } },
    { selector: "edge.near", style: { label: "data(label)", "line-color": accent, "target-arrow-color": accent } },
    { selector: "edge.near[refused > 0]", style: { label: "data(refusal)", "line-color": red, "target-arrow-color": red } },
    { selector: ":selected", style: { "underlay-color": accent, "underlay-opacity": 0.25, "underlay-padding": 7 } },
    { selector: ".struck", style: { "underlay-color": red, "underlay-opacity": 0.3, "underlay-padding": 5 } },
  ];
}

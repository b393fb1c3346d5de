// Counts by hour as stacked bars, drawn from the table that says the same: <div data-chart="#table">. Each row begins
// with a <time datetime>; the other columns are numbers.
import uPlot from "../vendor/uplot.min.mjs";
import { colour } from "./colours.js";

const COLOURS = ["series-1", "series-2", "series-3", "series-4"];
const HOUR = 3600;
const HEIGHT = 210;

export function start(place) {
  const table = document.querySelector(place.dataset.chart);
  if (!table?.tBodies[0]?.rows.length) return;
  let chart = draw(place, read(table));
  document.addEventListener("themechange", () => {
    chart.destroy();
    chart = draw(place, read(table));
  });
  new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
}

function read(table) {
  const rows = [...table.tBodies[0].rows].map(({ cells }) => ({
    at: Date.parse(cells[0].querySelector("time").dateTime) / 1000,
    values: [...cells].slice(1).map((cell) => Number(cell.textContent)),
  }));
  rows.sort((one, other) => one.at - other.at);
  const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent.trim());
  return {
    at: rows.map((row) => row.at),
    series: names.map((name, index) => ({ name, values: rows.map((row) => row.values[index]) })),
  };
}

function draw(place, { at, series }) {
  // Stacked from below: what is drawn first is the sum of all, so that each later one covers its part.
  const sums = series.map((_, index) => at.map((_, hour) => sum(series.slice(0, index + 1), hour))).reverse();
  const named = series.map((each, index) => ({ ...each, colour: colour(COLOURS[index % COLOURS.length]) })).reverse();
  const bars = uPlot.paths.bars({ size: [0.7, 28], radius: 0.15 });
  const axis = {
    stroke: colour("muted"),
    font: "12px Inter, sans-serif",
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
  };
  const options = {
    width: place.clientWidth,
    height: HEIGHT,
    padding: [12, 8, 0, 0],
    cursor: { y: false, points: { show: false } },
    scales: {
      x: { range: (_, first, last) => [first - HOUR / 2, last + HOUR / 2] },
      y: { range: (_, low, high) => [0, Math.max(4, Math.ceil(high * 1.1))] },
    },
    axes: [
      { ...axis, space: 64, values: hours },
      { ...axis, size: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10000, 50000] },
    ],
    series: [
      { label: "Hour", value: "{YYYY}-{MM}-{DD} {HH}:{mm}" },
      ...named.map(({ name, values, colour }) => ({
        label: name,
        fill: colour,
        stroke: colour,
        width: 0,
        paths: bars,
        points: { show: false },
        value: (_chart, _sum, _series, hour) => (hour === null ? "–" : values[hour]),
      })),
    ],
  };
  return new uPlot(options, [at, ...sums], place);
}

// 15:00 at each tick, and the day below the first one and below each midnight.
function hours(_, ticks) {
  let day = "";
  return ticks.map((tick) => {
    const moment = new Date(tick * 1000);
    const [before, hour] = [day, `${String(moment.getHours()).padStart(2, "0")}:00`];
    day = moment.toLocaleDateString(undefined, { day: "numeric", month: "short" });
    return day === before ? hour : `${hour}\n${day}`;
  });
}

function sum(series, hour) {
  return series.reduce((total, { values }) => total + values[hour], 0);
}

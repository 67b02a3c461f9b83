// The chart over time, the lanes of what was done beneath it, and the evidence, on one time axis.

import {$, figure, h, percent, s, span, table, title, when} from "./dom.js";
import {subject} from "./events.js";

export const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const POINTS_MAX = 20000;
const GUTTER = 58;
export const FEATURE = /^feature:/;

export const color = at => Math.min(at, 5);

/** Puts series, each a list of [time, value], on the times of all of them. */
function align(series) {
  const times = [...new Set(series.flatMap(points => points.map(point => point[0])))].sort((a, b) => a - b), at = new Map(times.map((time, index) => [time, index]));
  return [times, ...series.map(points => {
    const values = new Array(times.length).fill(undefined);
    for (const [time, value] of points) values[at.get(time)] = value;
    return values;
  })];
}

/** A uPlot chart that fits its place, follows the colours of the browser, and is made anew when its series change. */
export class Chart {
  constructor(place, options) {
    Object.assign(this, {place, options, key: "", plot: null});
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { this.key = ""; this.again?.(); });
  }

  size() { return {width: Math.max(this.place.clientWidth, 200), height: this.place.clientHeight}; }

  /** Shows series: {name, color, dashed, points}, between two times. */
  show(series, range) {
    this.again = () => this.show(series, range);
    this.range = range;
    const data = align(series.map(one => one.points)), key = JSON.stringify([series.map(one => [one.name, one.color, one.dashed, one.hidden]), this.options.key?.()]);
    this.place.querySelector(".empty").hidden = data[0].length > 0;
    if (!data[0].length) { this.plot?.destroy(); this.plot = null; this.key = ""; return; }
    if (key !== this.key) {
      this.plot?.destroy();
      this.key = key;
      this.plot = new uPlot(this.describe(series), data, this.place);
      return;
    }
    this.plot.setData(data, false);
    this.plot.setScale("x", {min: range[0], max: range[1]});
  }

  describe(series) {
    const line = css("--line"), axis = {stroke: css("--soft"), font: "12px system-ui, sans-serif", grid: {stroke: line, width: 1}, ticks: {stroke: line, width: 1, size: 4}};
    const part = {hour: "2-digit", minute: "2-digit"}, day = {day: "numeric", month: "short", ...part};
    const label = (plot, splits, at, room, step) => splits.map(split => new Date(split * 1000).toLocaleString("en-GB", step >= 21600 ? day : step >= 60 ? part : step >= 1 ? {timeStyle: "medium"} : {minute: "2-digit", second: "2-digit", fractionalSecondDigits: 2}));
    return {
      ...this.size(), legend: {show: false}, padding: [8, 12, 0, 0],
      cursor: {y: false, points: {size: 7}, drag: {x: false, y: false}, sync: {key: "time", setSeries: false}},
      scales: {x: {time: true, range: () => this.range}, y: this.options.y},
      axes: [{...axis, size: 28, space: 76, values: label}, {...axis, size: GUTTER, space: 34, splits: this.options.splits, values: this.options.values}],
      series: [{}, ...series.map(one => ({label: one.name, show: !one.hidden, stroke: css(`--a${one.color}`), width: one.width || 2, dash: one.dashed ? [5, 4] : undefined, spanGaps: true, points: {show: one.points.length < 2, size: 6}}))],
      hooks: {setCursor: [plot => this.options.cursor?.(plot.cursor.idx, plot)], draw: [plot => this.options.draw?.(plot)]},
    };
  }
}

/** Points of all shards, by time: those of the history, and those that came live. */
export class Points {
  constructor() { Object.assign(this, {all: [], weighed: new Map()}); }

  /** Adds points; of two of a shard at the same time the later stays. */
  add(points) {
    const unique = new Map([...this.all, ...points].map(point => [`${point.partition} ${point.time}`, point]));
    this.all = [...unique.values()].sort((a, b) => a.time - b.time);
    if (this.all.length > POINTS_MAX) this.all = this.all.filter((point, at) => at % 2 || at > POINTS_MAX / 2);
  }

  metrics() {
    const names = new Set(this.all.flatMap(point => Object.values(point.arms).flatMap(arm => Object.keys(arm.window || {}))));
    return [...names].filter(name => name !== "window");
  }

  /** The line of an arm: the mean of its shards at each time, each with the weight of what it has scored. */
  line(arm, metric, over) {
    const latest = new Map(), line = [];
    for (const {time, partition, arms} of this.all) {
      const figures = arms[arm], value = figures?.[over]?.[metric];
      if (Number.isFinite(value)) latest.set(partition, [value, over === "window" ? Math.min(figures.scored, 1000) : figures.scored]);
      let sum = 0, weight = 0;
      for (const [one, scored] of latest.values()) { sum += one * scored; weight += scored; }
      if (weight) {
        if (line.at(-1)?.[0] === time) line.pop();
        line.push([time, sum / weight]);
      }
    }
    return line;
  }

  /** Lines by name, each of the largest value of all shards; `read` gives the values of a point. */
  largest(read) {
    const latest = new Map(), lines = new Map();
    for (const point of this.all) {
      const values = read(point);
      latest.set(point.partition, values);
      for (const name in values) {
        if (!lines.has(name)) lines.set(name, []);
        const line = lines.get(name);
        if (line.at(-1)?.[0] === point.time) line.pop();
        line.push([point.time, Math.max(...[...latest.values()].map(one => one[name] ?? 0))]);
      }
    }
    return [...lines];
  }

  /** The evidence of each detector and guard, and for each feature that of all its detectors, as a share of the threshold. */
  evidence() {
    return this.largest(point => {
      if (point.shares) return point.shares;
      const shares = point.shares = {};
      for (const {arm, detector, watched, statistic, threshold} of point.evidence) {
        const name = FEATURE.test(watched) ? watched : detector + (watched === "error" ? "" : ` on ${subject(watched)}`) + (arm && arm !== "champion" ? ` of ${arm}` : "");
        shares[name] = Math.max(statistic / threshold, 1e-4, shares[name] ?? 0);
        this.weighed.set(watched, (this.weighed.get(watched) ?? new Set()).add(detector));
      }
      return shares;
    });
  }

  /** The quantiles of the label delays. */
  delays() { return this.largest(point => Object.fromEntries(Object.entries(point.label_delay_s ?? {}).filter(one => one[1] !== null))); }

  /** The bounds of an experiment over time. */
  bounds({partition, a, b}) {
    return this.all.filter(point => point.partition === partition)
      .flatMap(point => point.experiments.filter(one => one.a === a && one.b === b).map(one => ({...one, time: point.time})));
  }
}

const SHAPES = {
  drift: "M7 1 13 12H1Z", better: "M7 13 1 2H13Z", changed: "M7 1 13 7 7 13 1 7Z", warning: "M7 3 11 10H3Z",
  guard: "M7 1 12 3V7C12 10 10 12 7 13 4 12 2 10 2 7V3Z", act: "M2 2H12V12H2Z", version: "M7 2A5 5 0 1 1 7 12 5 5 0 1 1 7 2",
};
const mark = event => h("span", {}, s("svg", {viewBox: "0 0 14 14", "aria-hidden": "true"}, s("path", {d: SHAPES[event.shape]})));

/** Draws the lanes: a button for each event, or for several that stand too close; each opens its evidence. */
export function lanes(plot, events, open) {
  const place = $("lanes"), left = plot.over.offsetLeft, width = plot.over.clientWidth, {min: from, max: to} = plot.scales.x;
  const spot = time => Math.round(left + width * (time - from) / (to - from || 1));
  for (const name of ["Drift", "Acts", "Saved"]) {
    const groups = [];
    for (const event of events.filter(event => event.lane === name && event.time >= from && event.time <= to)) {
      const x = spot(event.time), last = groups.at(-1);
      if (last && x - last.x < 24) last.events.push(event);
      else groups.push({x, events: [event]});
    }
    let lane = place.querySelector(`[data-lane=${name}]`);
    if (!lane) place.append(lane = h("div", {class: "lane", "data-lane": name}, h("span", {}, name)));
    const key = JSON.stringify(groups.map(group => group.events.map(event => event.id)));
    if (lane.shown !== key) {
      lane.shown = key;
      const focused = lane.contains(document.activeElement) && document.activeElement.dataset.key;
      lane.replaceChildren(h("span", {}, name), ...groups.map(({events}) => {
        const [event] = events, worst = events.some(one => one.style === "bad") ? "bad" : "", label = events.length > 1 ? `${events.length} events: ${event.words}, and others` : `${event.words}, ${when(event.time)}`;
        return h("button", {"data-key": event.id, class: events.length > 1 ? `many ${worst}` : event.style, title: label, "aria-label": label, onclick: () => open(events)},
          events.length > 1 ? h("i", {}, events.length) : mark(event));
      }));
      if (focused) lane.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    }
    lane.querySelectorAll("button").forEach((button, at) => { button.style.left = `${groups[at].x}px`; });
  }
}

/** The tables behind the charts. They are filled only while they are open. */
export function behind(lines, metric, weights, delays, events) {
  if (!$("points").closest("details").open) return;
  const show = (id, caption, lines, say) => {
    const [times, ...values] = align(lines.map(line => line[1])), rows = times.map((time, at) => ({time, values: values.map(list => list[at])})).slice(-200).reverse();
    table($(id), `${caption}, the last 200 points`, [["Time", when, "time"], ...lines.map(([name], at) => [name, true, row => say(row.values[at])])], rows);
  };
  show("points", `${title(metric)} of each arm`, lines.map(line => [line.name, line.points]), value => figure(metric, value));
  show("weights", "Evidence as a share of the threshold", weights, value => percent(value, 2));
  if (delays.length) show("delays", "Label delay", delays, span);
  table($("events"), "What was noticed and done, newest first", [["Time", false, event => when(event.time)], ["Shard", true, "partition"], ["What", false, "words"]], [...events].reverse());
}

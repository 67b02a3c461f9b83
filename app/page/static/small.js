// Small pictures in SVG: a line of the last minutes, a calibration curve, an interval, marks on a line.

import {count, h, list, number, percent, s} from "./dom.js";

/** A line of the last values, with its name, its last value and its largest. */
export function spark(name, values, show, color = "c0") {
  const known = values.filter(Number.isFinite), most = Math.max(...known, 0), last = known.at(-1);
  const x = at => 250 * (at + 120 - values.length) / 119, y = value => 41 - 38 * (most ? value / most : 0);
  const points = values.map((value, at) => Number.isFinite(value) ? `${x(at).toFixed(1)},${y(value).toFixed(1)}` : null).filter(Boolean);
  return h("div", {class: `small ${color}`}, h("div", {}, name, h("b", {}, known.length ? show(last) : "–")),
    s("svg", {viewBox: "0 0 250 44", preserveAspectRatio: "none", role: "img", "aria-label": known.length ? `${name}: now ${show(last)}, at most ${show(most)}` : `${name}: nothing yet`},
      s("path", {class: "axis", d: "M0 42.5H250", "vector-effect": "non-scaling-stroke"}),
      points.length > 1 && s("polygon", {class: "area", points: `${points[0].split(",")[0]},41 ${points.join(" ")} ${points.at(-1).split(",")[0]},41`}),
      points.length > 1 && s("polyline", {class: "stroke", points: points.join(" "), "vector-effect": "non-scaling-stroke"})),
    h("div", {class: "sub"}, h("span", {}, "last 2 min"), h("span", {}, known.length ? `at most ${show(most)}` : "")));
}

/** Reliability curves, one for each arm: [name, color, bins]. */
export function calibration(curves) {
  const x = p => 34 + 290 * p, y = p => 272 - 260 * p, bins = ([, , bins]) => bins.filter(bin => bin.count);
  const grid = [0, .25, .5, .75, 1].map(p => [
    s("path", {class: "axis", d: `M${x(p)} ${y(0)}V${y(1)}M${x(0)} ${y(p)}H${x(1)}`}),
    s("text", {x: x(p), y: 288, "text-anchor": "middle"}, percent(p, 0)), p > 0 && s("text", {x: 30, y: y(p) + 4, "text-anchor": "end"}, percent(p, 0).replace(" %", ""))]);
  const drawn = curves.map(curve => {
    const all = Math.max(...bins(curve).map(bin => bin.count), 1), line = bins(curve).map(bin => `${x(bin.predicted)},${y(bin.observed)}`).join(" ");
    return s("g", {class: `c${curve[1]}`}, s("polyline", {class: "stroke", points: line}),
      bins(curve).map(bin => s("circle", {class: "dot", cx: x(bin.predicted), cy: y(bin.observed), r: (2 + 5 * Math.sqrt(bin.count / all)).toFixed(1)})));
  });
  const rows = curves.flatMap(curve => bins(curve).map(bin => ({arm: curve[0], ...bin})));
  const behind = list("Calibration by bin", [["Arm", false, row => row.arm], ["Probability", true, row => percent(row.predicted)], ["Was true", true, row => percent(row.observed)], ["Predictions", true, row => count(row.count)]], rows);
  return [s("svg", {viewBox: "0 0 340 310", role: "img", "aria-label": "Calibration curves; the table below has the figures"}, grid,
    s("path", {class: "diagonal", d: `M${x(0)} ${y(0)}L${x(1)} ${y(1)}`}), drawn, s("text", {x: x(.5), y: 306, "text-anchor": "middle"}, "probability given to true")),
    h("ul", {class: "keys"}, curves.map(([name, color, , ece]) => h("li", {class: `c${color}`}, h("span", {class: "swatch"}), name, h("span", {}, `error ${percent(ece)}`)))),
    h("details", {class: "behind"}, h("summary", {}, "Table of bins"), behind)];
}

/** The confidence interval of a difference, with the margin around zero. */
export function interval(low, high, mean, margin, color) {
  const reach = 1.1 * Math.max(Math.abs(low), Math.abs(high), 2 * margin, 1e-9), x = value => 200 + 190 * value / reach;
  return s("svg", {viewBox: "0 0 400 40", preserveAspectRatio: "none", role: "img", class: color, "aria-label": `difference ${number(mean)}, between ${number(low)} and ${number(high)}`},
    s("rect", {x: x(-margin), y: 2, width: x(margin) - x(-margin), height: 36, class: "area"}), s("path", {class: "axis", d: "M200 0V40"}),
    s("path", {class: "stroke", d: `M${x(low)} 20H${x(high)}M${x(low)} 13V27M${x(high)} 13V27`}), s("circle", {class: "dot", cx: x(mean), cy: 20, r: 5}));
}

/** Marks of signals about one feature, between two times. */
export function marks(name, signals, from, to) {
  const x = time => 2 + 246 * (to > from ? (time - from) / (to - from) : 1), last = signals.at(-1);
  return h("div", {class: "small"}, h("div", {}, h("span", {class: "mono"}, name), h("b", {}, signals.length)),
    s("svg", {viewBox: "0 0 250 44", preserveAspectRatio: "none", role: "img", "aria-label": `${signals.length} signals about ${name}`},
      s("path", {class: "axis", d: "M0 42.5H250", "vector-effect": "non-scaling-stroke"}),
      signals.map(signal => s("path", {class: "tick changed", d: `M${x(signal.time).toFixed(1)} ${signal.kind === "warning" ? 28 : 10}V42`, "vector-effect": "non-scaling-stroke"}))),
    h("div", {class: "sub"}, h("span", {}, last.detector), h("span", {}, `${number(last.before)} → ${number(last.after)}`)));
}

// Small pictures: a line of the last minutes, a calibration curve, a table of confusion, errors, bounds over time, evidence about a feature.

import {count, h, list, number, percent, s, when} from "./dom.js";

/** A small picture that fills its width, with its name and figure above it and two notes below. */
const small = (name, figure, color, height, drawn, ...notes) => h("div", {class: `small ${color}`}, h("div", {}, h("span", {}, name), h("b", {}, figure)),
  s("svg", {viewBox: `0 0 250 ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": [`${name}: ${figure}`, ...notes].filter(Boolean).join("; ")}, s("path", {class: "axis", d: `M0 ${height - 1.5}H250`}), drawn),
  h("div", {class: "sub"}, notes.map(note => h("span", {}, note))));

/** A line of the last values, with its name, its last value and its largest. */
export function spark(name, values, show, color = "c0") {
  const known = values.filter(Number.isFinite), most = Math.max(...known, 0);
  const x = at => 250 * (at + 120 - values.length) / 119, y = value => 41 - 38 * (most ? value / most : 0);
  const points = values.map((value, at) => Number.isFinite(value) ? `${x(at).toFixed(1)},${y(value).toFixed(1)}` : null).filter(Boolean);
  return small(name, show(known.at(-1)), color, 44, points.length > 1 && [
    s("polygon", {class: "area", points: `${points[0].split(",")[0]},41 ${points.join(" ")} ${points.at(-1).split(",")[0]},41`}),
    s("polyline", {class: "stroke", points: points.join(" ")})], "last 2 min", known.length ? `at most ${show(most)}` : "");
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
  const behind = list("Calibration by bin", [["Arm", false, "arm"], ["Probability", percent, "predicted"], ["Was true", percent, "observed"], ["Predictions", count, "count"]], rows);
  return [s("svg", {viewBox: "0 0 350 310", role: "img", "aria-label": "Calibration curves; the table below has the figures"}, grid,
    s("path", {class: "diagonal", d: `M${x(0)} ${y(0)}L${x(1)} ${y(1)}`}), drawn, s("text", {x: x(.5), y: 306, "text-anchor": "middle"}, "probability given to true")),
    h("ul", {class: "keys"}, curves.map(([name, color, , ece]) => h("li", {class: `c${color}`}, h("span", {class: "swatch"}), name, h("span", {}, `error ${percent(ece)}`)))),
    h("details", {class: "behind"}, h("summary", {}, "Table of bins"), behind)];
}

/** The bounds of a difference over time, from its first point on, with the margin around zero: drawn as far as one can still tell them from zero. */
export function bounds(line, {a, b, count: labels, difference, low, high, margin}) {
  const [from, to] = [line[0]?.time, line.at(-1)?.time], reach = Math.max(2 * margin, 2 * high, -2 * low, 1e-9);
  const x = time => (250 * (time - from) / (to - from || 1)).toFixed(1), y = value => (40 - 40 * Math.max(-1, Math.min(1, value / reach))).toFixed(1);
  const path = (of, points = line) => points.map(point => `${x(point.time)},${y(point[of])}`).join(" ");
  return small(`\u2191 ${b} is better`, `${number(difference)}, between ${number(low)} and ${number(high)}`, "c0", 80, [
    s("rect", {y: y(margin), width: 250, height: y(-margin) - y(margin), class: "margin"}), s("path", {class: "axis", d: "M0 40H250"}),
    line.length > 1 && [s("polygon", {class: "area", points: `${path("low")} ${path("high", [...line].reverse())}`}), s("polyline", {class: "stroke", points: path("difference")})],
  ], `\u2193 ${a} is better`, `${count(labels)} labels${line.length ? `, since ${when(from)}` : ""}`);
}

const OFTEN = 8;

/** How often each label was predicted as each: the most frequent labels, and the rest as one. The deeper the shade, the larger the share of the label. */
export function confusion(pairs) {
  const totals = new Map();
  for (const {label, predicted, count} of pairs) totals.set(label, (totals.get(label) || 0) + count).set(predicted, totals.get(predicted) || 0);
  const names = [...totals].sort((a, b) => b[1] - a[1]).map(one => one[0]), often = names.length > OFTEN + 1 ? names.slice(0, OFTEN) : names;
  const of = name => often.includes(name) ? String(name) : "other", rows = new Map(), shown = [...often.map(String), ...names.length > often.length ? ["other"] : []];
  for (const name of shown) rows.set(name, {name, all: 0, cells: {}});
  for (const {label, predicted, count} of pairs) {
    const row = rows.get(of(label));
    row.all += count;
    row.cells[of(predicted)] = (row.cells[of(predicted)] || 0) + count;
  }
  const cell = (row, name) => {
    const share = (row.cells[name] || 0) / row.all;
    return row.all ? h("span", {class: "heat", style: `--share:${(45 * share).toFixed()}%`, title: `${count(row.cells[name] || 0)} of ${count(row.all)}`}, percent(share, 0)) : "–";
  };
  const node = list("Predicted labels, as shares of each label that came", [["Label", false, "name"], ["Came", count, "all"], ...shown.map(name => [name, true, row => cell(row, name)])], [...rows.values()]);
  node.firstChild.className = "confusion";
  return node;
}

/** The mean errors of each arm of a regression, above and below the label; both follow from the quantile losses. */
export function errors(arms) {
  const rows = arms.map(([name, arm]) => {
    const low = arm.quantile_losses["0.05"], high = arm.quantile_losses["0.95"], tilt = (high - low) / .9;
    return {name, over: (low + high - tilt) / 2, under: (low + high + tilt) / 2};
  });
  const most = Math.max(...rows.flatMap(row => [row.over, row.under]), 1e-300), width = value => 100 * value / most;
  const bar = row => s("svg", {viewBox: "-100 0 200 12", preserveAspectRatio: "none", class: "bar c0", "aria-hidden": "true"},
    s("rect", {x: -width(row.over), width: width(row.over) + width(row.under), height: 12, class: "area"}), s("path", {class: "stroke", d: "M0 0V12"}));
  return list("Mean errors by arm", [["Arm", false, "name"], ["Too high", number, "over"], ["", "wide", bar], ["Too low", number, "under"], ["Bias", true, row => number(row.over - row.under)]], rows);
}

/** The evidence about a feature, as shares of its threshold, with marks of its signals, between two times. */
export function curve({name, line, now, list, before, after, by}, from, to) {
  const x = time => 250 * (time - from) / (to - from), y = share => (56 - 50 * share).toFixed(1), tops = new Map();
  for (const [time, share] of line) tops.set(Math.round(x(time)), Math.max(share, tops.get(Math.round(x(time))) ?? 0));
  const signals = list.length > 0 && `${list.length} signal${list.length > 1 ? "s" : ""}`, points = [...tops].map(([at, share]) => `${at},${y(share)}`).join(" ");
  return small(name, line.length ? `latest ${percent(now, 0)}` : signals, "c0", 58, [
    list.map(one => s("path", {class: "tick", d: `M${x(one.time).toFixed(1)} ${one.kind === "warning" ? 36 : 6}V56`})),
    line.length && [s("path", {class: "limit", d: "M0 6H250"}), s("polyline", {class: "stroke", points})],
  ], [by, line.length > 0 && signals].filter(Boolean).join(", "), signals && `${number(before)} \u2192 ${number(after)}`);
}

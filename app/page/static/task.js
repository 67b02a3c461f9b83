// The page of a task: what it reads, how often, and where it is shown.

import {$, count, facts, figure, fill, h, list, number, percent, pill, rate, short, span, state, table, text, title, when} from "./dom.js";
import {begin, every, feed, follow, has, path, read, task} from "./http.js";
import {Chart, Points, behind, color, css, lanes} from "./chart.js";
import {calibration, interval, marks, spark} from "./small.js";
import {events, open} from "./events.js";
import {predictions, refused} from "./records.js";
import {show as showVersions} from "./versions.js";

const KEPT = 120;
const points = new Points(), moves = [], hidden = new Set(), weights = new Map();
let live = null, status = null, signals = [], versions = [], found = [], seenIds = "", arms = [];

const metric = () => $("metric").value;
const over = () => $("over").value;
const lastOf = list => Math.max(...list.map(one => one.time ?? 0));

const main = new Chart($("chart"), {
  y: {range: (plot, low, high) => grown(low, high)}, key: () => metric(),
  values: (plot, splits) => splits.map(value => figure(metric(), value)), cursor: at => legend(at), draw: plot => lanes(plot, found, open),
});
const evidence = new Chart($("evidence"), {
  y: {range: () => [-4, .3]}, splits: () => [-4, -3, -2, -1, 0],
  values: (plot, splits) => splits.map(power => power ? percent(10 ** power, Math.max(0, -2 - power)) : "alarm"),
  draw: plot => {
    const y = plot.valToPos(0, "y", true), {left, width} = plot.bbox, pen = plot.ctx;
    pen.save();
    Object.assign(pen, {strokeStyle: css("--bad"), lineWidth: devicePixelRatio});
    pen.setLineDash([6, 4]);
    pen.beginPath(); pen.moveTo(left, y); pen.lineTo(left + width, y); pen.stroke();
    pen.restore();
  },
});

function grown(low, high) {
  if (low === null) return [0, 1];
  const room = Math.max((high - low) * .1, Math.abs(high) * .01, 1e-3), ratio = figure(metric(), .5).endsWith("%");
  return ratio ? [Math.max(0, low - room), Math.min(1, high + room)] : [low < 0 ? low - room : Math.max(0, low - room), high + room];
}

function range() {
  const times = points.all.map(point => point.time), end = Math.max(...times, ...found.map(event => event.time), live ? lastOf(live.shards) : 0);
  const spans = Number($("span").value), start = spans ? end - spans : Math.min(...times, ...found.map(event => event.time));
  return [Math.min(start, end - 10), end + (end - start) * .01];
}

const lines = () => arms.map(([name, role], at) => ({
  name, color: color(at), dashed: role === "baseline" || role === "frozen", width: name === "champion" ? 2.4 : 1.6, hidden: hidden.has(name), points: points.line(name, metric(), over()),
}));

function draw() {
  const drawn = lines(), [from, to] = range();
  main.show(drawn.map(line => ({...line, points: line.points.filter(point => point[0] >= from)})), [from, to]);
  evidence.show([...weights].map(([name, list], at) => ({name, color: color(at), points: list.map(([time, share]) => [time, Math.log10(share)])})), [from, to]);
  fill($("evidence-list"), [...weights].map(([name, list]) => [name, list.at(-1)[1]]), () => [...weights].map(([name, list], at) => h("li", {class: `c${color(at)}`}, h("span", {class: "swatch"}), name, h("b", {}, percent(list.at(-1)[1], list.at(-1)[1] < .01 ? 2 : 0)))));
  legend(null);
  behind(drawn, metric(), found);
}

function legend(at) {
  const data = main.plot?.data;
  fill($("legend"), arms.map(([name]) => [name, hidden.has(name)]), () => arms.map(([name, role], index) => h("button", {
    type: "button", "data-key": name, "aria-pressed": String(!hidden.has(name)), class: `c${color(index)}`, title: "Show or hide this line",
    onclick: () => { hidden.has(name) ? hidden.delete(name) : hidden.add(name); draw(); },
  }, h("span", {class: `swatch ${role === "baseline" || role === "frozen" ? "dashed" : ""}`}), name, h("b", {}))));
  [...$("legend").children].forEach((button, index) => {
    const values = data?.[index + 1] || [], from = at === null || at === undefined ? values.length - 1 : at;
    let value;
    for (let back = from; back >= 0 && value === undefined; back--) value = values[back];
    const shown = figure(metric(), value);
    if (button.lastChild.textContent !== shown) button.lastChild.textContent = shown;
  });
}

function choices() {
  const names = points.metrics(), shown = metric();
  fill($("metric"), names, () => names.map(name => h("option", {value: name}, title(name))));
  if (names.includes(shown)) $("metric").value = shown;
  if (names.length) text("metric-name", title(metric()));
}

/** Takes an event of the live feed. */
function take(event) {
  live = event;
  const told = event.shards.filter(shard => shard.time !== null && Object.keys(shard.arms || {}).length);
  const names = new Map(arms);
  for (const shard of told) for (const [name, arm] of Object.entries(shard.arms)) names.set(name, arm.role);
  arms = [...names].filter(([name]) => told.some(shard => shard.arms[name])).sort((a, b) => (b[0] === "champion") - (a[0] === "champion"));
  for (const shard of told) if (Object.values(shard.arms).some(arm => arm.scored)) points.add(shard.partition, shard.time, shard.arms);
  const strongest = new Map();
  for (const one of told.flatMap(shard => shard.evidence || [])) {
    const name = one.arm === "champion" ? one.detector : `${one.detector} of ${one.arm}`;
    strongest.set(name, Math.max(strongest.get(name) || 1e-4, one.statistic / one.threshold));
  }
  for (const [name, share] of strongest) {
    const list = weights.get(name) || weights.set(name, []).get(name), time = lastOf(told);
    if (list.at(-1)?.[0] === time) list.pop();
    list.push([time, share]);
    if (list.length > 4000) list.shift();
  }
  moves.push(event);
  if (moves.length > KEPT + 1) moves.shift();
  choices();
  tiles();
  draw();
  speed();
  shards();
  delays();
  showVersions(versions, () => live, look);
  const ids = JSON.stringify(event.shards.map(shard => [shard.signals, shard.versions, shard.arms?.champion?.role]));
  if (ids !== seenIds) { seenIds = ids; look(); }
  feed("live", "Live");
}

const sum = (event, name) => event.shards.reduce((total, shard) => total + (shard[name] ?? 0), 0);
const lag = event => event.shards.reduce((total, shard) => total + Math.max(0, (shard.end ?? shard.position ?? 0) - (shard.position ?? 0)), 0);
/** The growth of a figure a second, from one event to the next. */
const growth = read => moves.slice(1).map((event, at) => Math.max(0, read(event) - read(moves[at])) / (event.time - moves[at].time || 1));
const mean = list => list.length ? list.slice(-5).reduce((total, one) => total + one, 0) / Math.min(5, list.length) : null;

function tiles() {
  const name = points.metrics()[0] || "accuracy", all = arms.length && points.line("champion", name, "window").at(-1);
  text("t-recent-name", title(name));
  text("t-recent", all ? figure(name, all[1]) : "–");
  for (const [id, name] of [["t-updates", "updates"], ["t-messages", "position"]]) {
    text(id, count(sum(live, name)));
    text(`${id}-sub`, moves.length > 1 ? `${rate(mean(growth(event => sum(event, name))))} now` : "\u00a0");
  }
  const staleness = Math.max(...live.shards.map(shard => shard.staleness_s ?? 0));
  text("t-lag", count(lag(live)));
  text("t-lag-sub", `messages; ${span(staleness)} stale`);
  text("t-waiting", count(sum(live, "waiting")));
  text("t-refused", count(sum(live, "quarantined")));
  const worst = ["stopped", "opening", "waiting", "stale", "live", "replica"].find(name => live.shards.some(shard => shard.state === name)) || "opening";
  fill($("state"), worst, () => worst);
  $("state").className = state(worst).className;
  $("state").hidden = false;
}

function speed() {
  const quantile = name => moves.slice(1).map((event, at) => {
    const {bounds, counts} = event[name], before = moves[Math.max(0, at - 9)][name].counts, grown = counts.map((value, at) => value - before[at]), all = grown.reduce((a, b) => a + b);
    let reached = 0;
    const bucket = grown.findIndex(one => (reached += one) >= .99 * all);
    return all ? bounds[Math.min(bucket, bounds.length - 1)] : NaN;
  });
  $("speed").replaceChildren(
    spark("Messages folded", growth(event => sum(event, "position")), rate),
    spark("Questions answered", growth(event => event.predictions), rate, "c2"), spark("Answer, 99 % within", quantile("answers"), span, "c2"),
    spark("Folded, 99 % within", quantile("updates"), span, "c3"), spark("Lag in messages", moves.map(lag), short, "c1"));
}

function shards() {
  table($("shards"), "Shards of this task, as this worker sees them", [
    ["Shard", false, row => row.partition], ["State", false, row => state(row.state)], ["Position", true, row => count(row.position)],
    ["Lag", true, row => row.end === null ? "–" : count(Math.max(0, row.end - row.position))], ["Staleness", true, row => span(row.staleness_s)],
    ["Learned", true, row => count(row.updates)], ["Waiting", true, row => count(row.waiting)], ["Refused", true, row => count(row.quarantined)], ["Last record", true, row => when(row.time)],
  ], live.shards.map(({arms, evidence, label_delay_s, versions, signals, ...row}) => row), "The worker has no shard of this task yet.");
}

function delays() {
  const rows = live.shards.filter(shard => shard.label_delay_s).map(shard => ({partition: shard.partition, ...shard.label_delay_s}));
  fill($("delay"), rows, () => {
    if (!rows.length) return h("p", {class: "empty"}, "No question was answered by a label yet. A sample brings its label along.");
    return list("Label delay by shard", [["Shard", false, row => row.partition], ["Half within", true, row => span(row.p50)], ["90 % within", true, row => span(row.p90)], ["99 % within", true, row => span(row.p99)]], rows);
  });
}

/** Reads what was noticed, done and saved. */
async function look() {
  const [drift, saved] = await Promise.all([read(path(task, "drift")), read(path(task, "versions"))]);
  ({signals} = drift);
  ({versions} = saved);
  found = events(signals, versions);
  if (live) draw();
  showVersions(versions, () => live, look);
  features();
}

function features() {
  const by = new Map();
  for (const one of signals) if (one.watched.startsWith("feature:")) by.set(one.watched.slice(8), [...(by.get(one.watched.slice(8)) || []), one]);
  const [from, to] = range(), definition = status?.shards.find(shard => shard.definition)?.definition.task;
  const watched = JSON.stringify(definition?.detectors)?.includes("feature");
  fill($("features"), [[...by], watched, Math.round(to / 10)], () => by.size
    ? [...by].sort((a, b) => b[1].length - a[1].length).slice(0, 24).map(([name, list]) => marks(name, list, from, to))
    : h("p", {class: "empty"}, watched ? "The features are watched, and none has changed." : ["No detector watches the features. Add ", h("code", {}, 'detectors = [{use = "ks", watch = "features"}]'), " to the task."]));
}

/** Reads the status, with the figures over all shards. */
async function overview() {
  status = await read(path(task));
  const overall = Object.entries(status.overall.arms), of = name => status.shards.map(shard => shard.arms?.[name]).find(Boolean);
  const order = name => color(Math.max(0, arms.findIndex(arm => arm[0] === name)));
  fill($("about"), [status.kind, of("champion")?.model], () => `${status.kind}, ${of("champion")?.model || "no model yet"}, ${status.partitions} ${status.partitions === 1 ? "shard" : "shards"}`);
  const troubles = [status.error && ["The task", status.error], ...status.shards.filter(shard => shard.error).map(shard => [`Shard ${shard.partition}`, shard.error])].filter(Boolean);
  $("trouble").hidden = !troubles.length;
  fill($("trouble"), troubles, () => troubles.map(([who, what]) => h("p", {}, h("b", {}, `${who}: `), what)));
  const names = [...new Set(overall.flatMap(([, arm]) => Object.keys(arm.metrics)))].filter(name => name !== "window").slice(0, 6);
  const traffic = status.shards.map(shard => shard.traffic).find(Boolean);
  table($("arms"), "Arms", [
    ["Arm", false, row => row.name], ["Role", false, row => pill(row.role, row.role === "champion" ? "good" : "")], ["Model", false, row => row.model], ["Version", "mono", row => row.version || "none"],
    ...traffic ? [["Traffic", true, row => percent(traffic[row.name] ?? 0, 0)]] : [], ["Learned", true, row => count(row.updates)], ["Scored", true, row => count(row.scored)],
    ...names.map(name => [title(name), true, row => figure(name, row.metrics[name])]),
  ], overall.map(([name, arm]) => ({name, ...of(name), scored: arm.scored, metrics: arm.metrics, digest: null})));
  const curves = overall.filter(([name, arm]) => arm.calibration && ["champion", "challenger"].includes(of(name)?.role)).map(([name, arm]) => [name, order(name), arm.calibration.equal_width.bins, arm.calibration.equal_width.ece]);
  $("s-calibration").hidden = status.kind !== "binary";
  fill($("calibration"), curves, () => curves.length ? calibration(curves) : h("p", {class: "empty"}, "No probability is scored yet."));
  define();
  refused(status.shards.reduce((total, shard) => total + (shard.quarantined || 0), 0), has("quarantine") ? await read(path(task, "quarantine") + "?limit=20") : null);
  features();
}

function define() {
  const shard = status.shards.find(one => one.definition), times = points.all.map(point => point.time), last = Math.max(...live?.shards.map(one => one.time ?? 0) ?? [0]);
  if (!shard) return fill($("definition"), null, () => h("p", {class: "empty"}, "No definition is in the log yet."));
  const first = Math.min(...times, ...found.map(event => event.time)), wanted = Object.keys(shard.wanted || {});
  fill($("definition"), [shard.definition, wanted, Math.round(first), last], () => [
    facts([
      ["In force since", shard.definition.position === null ? "the beginning; the log has no record of it" : `position ${count(shard.definition.position)} of shard ${shard.partition}`],
      ["First known point", Number.isFinite(first) ? when(first) : null], ["Last record", last ? `${when(last)}, log time` : null],
      ["Fingerprint", h("span", {class: "mono"}, shard.definition.fingerprint)],
      wanted.length > 0 && ["Settings differ in", h("span", {}, wanted.join(", "), "; ", h("code", {}, `headrace apply ${task}`), " would change it")],
    ]),
    h("details", {class: "behind"}, h("summary", {}, "The whole definition"), h("pre", {tabindex: 0}, JSON.stringify(shard.definition.task, null, 2))),
  ]);
}

const VERDICTS = {a_better: ["good", row => `${row.a} is better`], b_better: ["good", row => `${row.b} is better`], equivalent: ["", () => "equivalent"], continue: ["warn", () => "goes on"], budget_exhausted: ["", () => "ended undecided"]};

async function experiments() {
  if (!has("experiments")) return;
  const {experiments: rows} = await read(path(task, "experiments"));
  $("s-experiments").hidden = !rows.length;
  fill($("experiments"), rows, () => rows.map(row => {
    const [style, words] = VERDICTS[row.verdict] || ["", () => row.verdict];
    return h("div", {class: "interval"},
      h("div", {}, h("b", {}, `${row.a} against ${row.b}`), h("div", {class: "note"}, `shard ${row.partition}, ${count(row.count)} labels, ${row.loss.replaceAll("_", " ")} loss, margin ${number(row.margin)}`)),
      h("div", {}, interval(row.low, row.high, row.difference, row.margin, "c0"), h("div", {class: "note"}, `${number(row.difference)}, between ${number(row.low)} and ${number(row.high)}`)),
      h("div", {}, pill(words(row), style), h("div", {class: "note"}, row.decided_at === null ? `promotes by ${row.promote}` : `decided at label ${count(row.decided_at)}`)));
  }));
}

async function history() {
  if (!has("metrics")) return;
  for (const point of (await read(path(task, "metrics"))).points) points.add(point.partition, point.time, point.arms);
}

begin(async () => {
  for (const id of ["metric", "over", "span"]) $(id).addEventListener("change", () => { choices(); draw(); });
  $("points").closest("details").addEventListener("toggle", draw);
  await history().catch(() => {});
  await look().catch(() => {});
  follow(`tasks/${encodeURIComponent(task)}/live`, take);
  every(10, overview);
  every(3, async () => predictions((await read(path(task, "predictions"))).answers));
  every(5, experiments);
});

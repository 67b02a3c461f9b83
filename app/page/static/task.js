// The page of a task: what it reads, how often, and where it is shown.

import {$, ZONE, count, empty, facts, figure, fill, h, list, moment, number, percent, pill, rate, span, state, table, text, title, when} from "./dom.js";
import {begin, every, follow, path, read, task} from "./http.js";
import {Chart, FEATURE, Points, behind, color, css, lanes} from "./chart.js";
import {bounds, calibration, confusion, curve, errors, spark} from "./small.js";
import {events, open} from "./events.js";
import {predictions, refused, senders} from "./records.js";
import {show as showVersions} from "./versions.js";

const KEPT = 120;
const points = new Points(), moves = [], hidden = new Set();
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

const STEPS = [...[.001, .01, .1, 1, 10, 3600].flatMap(one => [one, 2 * one, 5 * one]), 60, 120, 300, 600, 1800, 43200, 86400, 172800, 604800, 2592000, 31536000].sort((a, b) => a - b).map(Math.log10);
const delay = new Chart($("delay"), {
  y: {range: (plot, low, high) => [STEPS.findLast(step => step <= low) ?? -3, STEPS.find(step => step > high) ?? high]},
  splits: (plot, axis, low, high) => STEPS.filter(step => step >= low && step <= high).filter((step, at, all) => at % Math.ceil(all.length / 5) === 0),
  values: (plot, splits) => splits.map(power => span(10 ** power)),
});

function grown(low, high) {
  if (low === null) return [0, 1];
  const room = Math.max((high - low) * .1, Math.abs(high) * .01, 1e-3), ratio = figure(metric(), .5).endsWith("%");
  return ratio ? [Math.max(0, low - room), Math.min(1, high + room)] : [low < 0 ? low - room : Math.max(0, low - room), high + room];
}

function range() {
  const times = [points.all[0]?.time ?? Infinity, ...found.map(event => event.time)], end = Math.max(points.all.at(-1)?.time ?? 0, ...found.map(event => event.time), live ? lastOf(live.shards) : 0);
  const spans = Number($("span").value), start = spans ? end - spans : Math.min(...times);
  return [Math.min(start, end - .1), end + (end - start) * .01];
}

const lines = () => arms.map(([name, role], at) => ({
  name, color: color(at), dashed: role === "baseline" || role === "frozen", width: name === "champion" ? 2.4 : 1.6, hidden: hidden.has(name), points: points.line(name, metric(), over()),
}));

function draw() {
  const drawn = lines(), [from, to] = range(), all = points.evidence(), weights = all.filter(one => !FEATURE.test(one[0])), delays = points.delays();
  const seen = line => line.filter(point => point[0] >= from);
  const powers = (chart, id, lines, say) => {
    const last = lines.map(([name, line]) => [name, say(line.at(-1)[1])]);
    chart.show(lines.map(([name, line], at) => ({name, color: color(at), points: seen(line).map(([time, value]) => [time, Math.log10(Math.max(value, 1e-4))])})), [from, to]);
    fill($(id), last, () => last.map(([name, said], at) => h("li", {class: `c${color(at)}`}, h("span", {class: "swatch"}), name, h("b", {}, said))));
  };
  main.show(drawn.map(line => ({...line, points: seen(line.points)})), [from, to]);
  powers(evidence, "evidence-list", weights, share => percent(share, share < .01 ? 2 : 0));
  $("s-delay").hidden = !delays.length;
  powers(delay, "delay-list", delays, span);
  legend(null);
  behind(drawn, metric(), weights, delays, found);
  features(all.filter(one => FEATURE.test(one[0])), from, to);
}

function legend(at) {
  const data = main.plot?.data;
  fill($("legend"), arms.map(([name]) => [name, hidden.has(name)]), () => arms.map(([name, role], index) => h("button", {
    "data-key": name, "aria-pressed": String(!hidden.has(name)), class: `c${color(index)}`, title: "Show or hide this line",
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
  $("choices").hidden = !($("no-metric").hidden = names.length > 0);
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
  points.add(told.filter(shard => Object.values(shard.arms).some(arm => arm.scored)));
  moves.push(event);
  if (moves.length > KEPT + 1) moves.shift();
  choices();
  tiles();
  draw();
  speed();
  shards();
  showVersions(versions, () => live, look);
  const ids = JSON.stringify(event.shards.map(shard => [shard.signals, shard.versions, shard.arms?.champion?.role]));
  if (ids !== seenIds) { seenIds = ids; look().catch(() => { seenIds = ""; }); } // the next event tries again
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
    spark("Folded, 99 % within", quantile("updates"), span, "c3"));
}

function shards() {
  table($("shards"), "Shards of this task, as this worker sees them", [
    ["Shard", false, "partition"], ["State", false, row => state(row.state)], ["Position", count, "position"],
    ["Lag", true, row => row.end === null ? "–" : count(Math.max(0, row.end - row.position))], ["Staleness", span, "staleness_s"],
    ["Learned", count, "updates"], ["Waiting", count, "waiting"], ["Label delay, half", true, row => span(row.label_delay_s?.p50)], ["99 %", true, row => span(row.label_delay_s?.p99)],
    ["Refused", count, "quarantined"], ["Last record", when, "time"],
  ], live.shards.map(({arms, evidence, experiments, versions, signals, ...row}) => row), "The worker has no shard of this task yet.");
}

/** Reads what was noticed, done and saved. */
async function look() {
  const [drift, saved] = await Promise.all([read(path(task, "drift")), read(path(task, "versions"))]);
  ({signals} = drift);
  ({versions} = saved);
  found = events(signals, versions);
  if (live) draw();
  showVersions(versions, () => live, look);
}

/** Shows the features by their highest evidence: the first ones as curves, all of them in the table. */
function features(weights, from, to) {
  const lines = new Map(weights), names = new Set([...lines.keys(), ...signals.map(one => one.watched).filter(one => FEATURE.test(one))]);
  const rows = [...names].map(watched => {
    const list = signals.filter(one => one.watched === watched && one.time >= from), by = points.weighed.get(watched), last = list.at(-1);
    const alarms = list.filter(one => one.kind === "drift" && by?.has(one.detector)).map(one => [one.time, 1]);
    const line = [...lines.get(watched) ?? [], ...alarms].filter(one => one[0] >= from).sort((a, b) => a[0] - b[0]);
    return {
      name: watched.slice(8), line, list, now: lines.get(watched)?.at(-1)[1], by: [...new Set([...by ?? [], ...list.map(one => one.detector)])].join(", "),
      most: list.length ? 1 : Math.max(0, ...line.map(one => one[1])), last: last?.time, before: last?.before, after: last?.after,
    };
  }).filter(one => one.line.length + one.list.length).sort((a, b) => Math.round(10 * b.most) - Math.round(10 * a.most) || b.list.length - a.list.length);
  const watched = JSON.stringify(status?.shards.find(shard => shard.definition)?.definition.task.detectors)?.includes("feature");
  fill($("features"), [rows.map(row => [row.name, row.now, row.list.length]), watched, !status, from, to], () => rows.length ? rows.slice(0, 24).map(row => curve(row, from, to))
    : status && empty(watched ? "The features are watched, and none has changed." : ["No detector watches the features. Add ", h("code", {}, 'detectors = [{use = "ks", watch = "features"}]'), " to the task."]));
  $("s-drifts").hidden = !rows.length;
  if ($("s-drifts").open) table($("drifts"), "Features by their evidence", [
    ["Feature", false, "name"], ["Watched by", false, "by"], ["Latest", percent, "now"], ["Highest", percent, "most"], ["Signals", count, "signals"],
    ["Last signal", when, "last"], ["Before", number, "before"], ["After", number, "after"],
  ], rows.map(({line, list, ...row}) => ({...row, signals: list.length})));
}

/** Reads the status, with the figures over all shards. */
async function overview() {
  status = await read(path(task));
  const overall = Object.entries(status.overall.arms), of = name => status.shards.map(shard => shard.arms?.[name]).find(Boolean);
  const order = name => color(Math.max(0, arms.findIndex(arm => arm[0] === name)));
  fill($("about"), [status.kind, of("champion")?.model], () => `${status.kind}, ${of("champion")?.model || "no model yet"}, ${status.partitions} ${status.partitions === 1 ? "shard" : "shards"}; times are ${ZONE}`);
  const troubles = [status.error && ["The task", status.error], ...status.shards.filter(shard => shard.error).map(shard => [`Shard ${shard.partition}`, shard.error])].filter(Boolean);
  $("trouble").hidden = !troubles.length;
  fill($("trouble"), troubles, () => troubles.map(([who, what]) => h("p", {}, h("b", {}, `${who}: `), what)));
  const names = [...new Set(overall.flatMap(([, arm]) => Object.keys(arm.metrics)))].filter(name => name !== "window").slice(0, 6);
  const traffic = status.shards.map(shard => shard.traffic).find(Boolean);
  table($("arms"), "Arms", [
    ["Arm", false, "name"], ["Role", false, row => pill(row.role, row.role === "champion" ? "good" : "")], ["Model", false, "model"], ["Version", "mono", row => row.version || "none"],
    ...traffic ? [["Traffic", true, row => percent(traffic[row.name] ?? 0, 0)]] : [], ["Learned", count, "updates"], ["Scored", count, "scored"],
    ...names.map(name => [title(name), true, row => figure(name, row.metrics[name])]),
  ], overall.map(([name, arm]) => ({name, ...of(name), scored: arm.scored, metrics: arm.metrics, digest: null})));
  const curves = overall.filter(([name, arm]) => arm.calibration && ["champion", "challenger"].includes(of(name)?.role)).map(([name, arm]) => [name, order(name), arm.calibration.equal_width.bins, arm.calibration.equal_width.ece]);
  const scored = overall.filter(([, arm]) => arm.scored), pairs = status.overall.arms.champion?.confusion || [];
  for (const [id, isShown, key, make] of [
    ["calibration", status.kind === "binary", curves, () => calibration(curves)],
    ["confusion", status.kind !== "regression", pairs, () => confusion(pairs)],
    ["errors", status.kind === "regression", scored, () => errors(scored)],
  ]) {
    $(`s-${id}`).hidden = !isShown;
    if (isShown) fill($(id), key, () => key.length ? make() : empty("No prediction is scored yet."));
  }
  define();
  senders(status.shards);
  refused(await read(path(task, "quarantine") + "?limit=6"));
}

function define() {
  const shard = status.shards.find(one => one.definition), last = live ? lastOf(live.shards) : 0;
  if (!shard) return fill($("definition"), null, () => empty("No definition is in the log yet."));
  const wanted = Object.keys(shard.wanted || {});
  fill($("definition"), [shard.definition, wanted, last], () => [
    facts([
      ["In force since", shard.definition.position === null ? "the beginning; the log has no record of it" : `position ${count(shard.definition.position)} of shard ${shard.partition}`],
      ["First record", shard.begun_at ? `${moment(shard.begun_at)}, log time` : null], ["Last record", last ? `${moment(last)}, log time` : null],
      ["Fingerprint", h("span", {class: "mono"}, shard.definition.fingerprint)],
      wanted.length > 0 && ["Settings differ in", h("span", {}, wanted.join(", "), "; ", h("code", {}, `headrace apply ${task}`), " would change it")],
    ]),
    h("details", {class: "behind"}, h("summary", {}, "The whole definition"), h("pre", {tabindex: 0}, JSON.stringify(shard.definition.task, null, 2))),
  ]);
}

const DRAWN = 8;
const VERDICTS = {
  a_better: row => [`${row.a} is better`, "good"], b_better: row => [`${row.b} is better`, "good"], equivalent: () => ["equivalent"],
  continue: () => ["too early to say", "warn"], budget_exhausted: () => ["ended undecided"],
};

async function experiments() {
  const {experiments: rows} = await read(path(task, "experiments")), verdict = row => pill(...VERDICTS[row.verdict](row));
  $("s-experiments").hidden = !rows.length;
  fill($("experiments"), [rows, points.all.length], () => [rows.slice(0, DRAWN).map(row => h("div", {class: "interval"},
    h("div", {}, h("b", {}, `${row.a} against ${row.b}`), h("div", {class: "note"}, `shard ${row.partition}, ${row.loss.replaceAll("_", " ")} loss`), verdict(row),
      h("div", {class: "note"}, row.decided_at === null ? `promotion by ${row.promote === "auto" ? "itself" : "hand"}` : `since position ${count(row.decided_at)}`)),
    bounds(points.bounds(row), row))),
  h("details", {class: "behind"}, h("summary", {}, "Table of experiments"), list("Experiments", [
    ["Arms", false, row => `${row.a} against ${row.b}`], ["Shard", true, "partition"], ["Labels", count, "count"], ["Difference", number, "difference"],
    ["At least", number, "low"], ["At most", number, "high"], ["Margin", number, "margin"], ["Verdict", false, verdict],
  ], rows))]);
}

async function history() {
  points.add((await read(path(task, "metrics"))).points);
}

for (const one of document.querySelectorAll("section")) one.setAttribute("aria-labelledby", one.querySelector("h2").id);
begin(async () => {
  for (const id of ["metric", "over", "span"]) $(id).addEventListener("change", () => { choices(); draw(); });
  for (const id of ["points", "drifts"]) $(id).closest("details").addEventListener("toggle", draw);
  const past = () => Promise.allSettled([history(), look()]);
  await past();
  follow(`tasks/${encodeURIComponent(task)}/live`, past, take);
  every(10, overview);
  every(3, async () => predictions((await read(path(task, "predictions"))).answers));
  every(5, experiments);
});

// Predictions, and refused records.

import {$, count, empty, facts, fill, h, list, moment, panel, percent, span, table, value, when} from "./dom.js";
import {path, read, task} from "./http.js";

const chance = answer => answer.probabilities ? percent(Math.max(...Object.values(answer.probabilities))) : "–";
let last = [];

export function predictions(answers) {
  last = answers;
  table($("predictions"), "Last answers of this worker, newest first", [
    ["Id", false, row => h("button", {class: "link", "data-key": row.answer.id, onclick: () => explain(row.answer.id)}, row.answer.id)],
    ["Answered", when, "time"],
    ["Prediction", false, row => value(row.answer.prediction)],
    ["Probability", true, row => chance(row.answer)],
    ["Arm", false, row => row.answer.arm],
    ["Position", true, row => count(row.answer.position)],
    ["Logged", false, row => row.answer.logged ? "yes" : "no"],
  ], answers.slice(0, 8), "This worker has answered no question since it started. Ask one: POST /v1/…/predict.");
}

/** Opens the life of a prediction: as the log has it, where the worker can look it up, or else as it was answered. */
export async function explain(id) {
  const near = last.find(row => row.answer.id === id)?.answer, whole = h("p", {class: "note"}, "The whole life, from the log: ", h("code", {}, `headrace explain ${task} ${id}`));
  let far = null, why = "It is not among the last answers of this worker.";
  if (!near || near.logged) {
    try {
      far = await read(path(task, "predictions", id));
    } catch (error) {
      if (error.status === 401) return;
      why = `${error.message} ${error.remedy}`;
    }
  }
  if (!near && !far) return panel("Not found", [h("p", {}, why), whole]);
  const body = [];
  if (near) body.push(facts([["Answer", value(near.prediction)], ["Arm", near.arm], ["Version", near.version || "none yet"], ["Position", count(near.position)], ["Staleness", span(near.staleness_s)], ["Logged", near.logged ? "yes, its label can be joined" : "no"]]), odds(near.probabilities));
  if (far) body.push(facts([["Place", `shard ${far.partition}, position ${count(far.position)}, ${moment(far.time)}`], far.served && ["Served", value(far.served.prediction ?? far.served)], ["Label", far.label === null ? "none yet" : `${value(far.label)} (${far.how}), after ${span(far.delay_s)}`]]),
    h("h3", {}, "Arms"), rows("Arms", ["Arm", "Prediction", "Probability"], Object.entries(far.arms).map(([name, arm]) => [name, value(arm?.prediction), arm ? chance(arm) : "–"])),
    h("h3", {}, "Features"), rows("Features", ["Feature", "Value"], Object.entries(far.features).map(([name, one]) => [name, value(one)])));
  panel(`Prediction ${id}`, [...body, whole]);
}

const odds = probabilities => probabilities && rows("Probabilities", ["Class", "Probability"], Object.entries(probabilities).sort((a, b) => b[1] - a[1]).slice(0, 8).map(([name, one]) => [name, percent(one, 2)]));

const rows = (caption, head, lines) => list(caption, head.map((name, at) => [name, at > 0, row => row[at]]), lines);

$("find")?.addEventListener("submit", event => {
  event.preventDefault();
  explain($("find-id").value.trim());
});

/** Shows features that have come, gone or changed their type, and keys that lie in another shard than theirs. */
export function senders(shards) {
  const of = name => shards.reduce((total, shard) => total + (shard.placement?.[name] ?? 0), 0), away = of("misplaced");
  const said = shards.flatMap(shard => shard.changes || []).map(change => `Feature ${change.text}.`);
  if (away) said.push(`${count(away)} of ${count(of("looked_at"))} keys lie in another shard than theirs: labels may miss their questions. See headrace doctor.`);
  fill($("senders"), said, () => said.map(text => h("li", {}, text)));
}

/** Shows how many records were refused and why, and the last ones. */
export function refused(answer) {
  fill($("quarantine"), answer, () => {
    if (!answer.records.length) return empty("No record was refused.");
    const node = list("Last refused records, newest first", [
      ["Code", false, "code"], ["Reason", false, "reason"], ["Refused", when, "time"], ["Shard", true, "partition"],
      ["Position", true, row => `${count(row.offset)}, row ${row.row}`], ["Record", "mono", row => value(row.value).slice(0, 160)],
    ], answer.records);
    return [h("ul", {class: "keys"}, Object.entries(answer.counts).map(([code, number]) => h("li", {}, code, h("b", {}, count(number))))),
      node, answer.counted > answer.records.length && h("p", {class: "note"}, "More of them: ", h("code", {}, `headrace quarantine ${task}`))].filter(Boolean);
  });
}

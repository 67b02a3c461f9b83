// What was noticed and done: the events of the lanes, and the evidence of each.

import {count, facts, figure, h, moment, number, panel, title} from "./dom.js";
import {task} from "./http.js";

const WHAT = {"error": "the error", "score": "the predictions", "label_rate": "the labels"};
export const subject = watched => WHAT[watched] || watched.replace("feature:", "the feature ");
const KINDS = {drift: "Drift", warning: "Warning", oscillation: "Oscillation", guard: "Guard"};
const acted = action => action && action !== "none";
const SAVED = {
  updates: "Saved after enough updates", checkpoint: "Saved by hand", rollback: "Rolled back", promote: "Promoted another arm",
  install: "Installed another model", define: "Changed the definition", import: "Imported a model", reaction: "Reacted",
};

/** Events of signals and versions, oldest first: {id, lane, time, partition, shape, style, words, of}. */
export function events(signals, versions) {
  const found = [];
  for (const one of signals) {
    const words = `${KINDS[one.kind] || one.kind}: ${one.detector} on ${subject(one.watched)}${one.arm && one.arm !== "champion" ? ` of ${one.arm}` : ""}, ${one.direction}`;
    const shape = one.kind === "guard" ? "guard" : one.kind === "warning" ? "warning" : one.direction === "worse" ? "drift" : one.direction;
    const style = one.direction === "better" ? "good" : one.kind === "warning" ? "warn" : one.direction === "changed" ? "warn" : "bad";
    const event = {id: one.id, lane: "Drift", time: one.time, partition: one.partition, shape, style, words, signal: one};
    found.push(event);
    if (acted(one.action)) found.push({...event, id: `${one.id} act`, lane: "Acts", shape: "act", style: one.waits ? "warn" : "", words: `Reaction: ${one.action}`});
  }
  for (const one of versions) {
    const event = {time: one.time, partition: one.partition, version: one};
    found.push({...event, id: one.id, lane: "Saved", shape: "version", style: one.current ? "good" : "", words: `Version ${one.id}`});
    if (!["updates", "checkpoint", "reaction"].includes(one.reason)) found.push({...event, id: `${one.id} act`, lane: "Acts", shape: "act", style: "", words: `${SAVED[one.reason]}; ${one.id} was saved before`});
  }
  return found.sort((a, b) => a.time - b.time);
}

function evidence(event) {
  const signal = event.signal, version = event.version;
  if (signal) {
    const guard = signal.kind === "guard";
    return facts([
      ["When", `${moment(signal.time)}, shard ${signal.partition}, position ${count(signal.position)}`],
      [guard ? "Loss compared with" : "Mean before", `${number(signal.before)}, of ${count(signal.width_before)} values`],
      [guard ? "Loss of the champion" : "Mean after", `${number(signal.after)}, of ${count(signal.width)} values`],
      ["Reaction", acted(signal.action) ? signal.action : "none"],
      signal.waits && ["Waits for you", h("code", {}, `headrace react ${task} ${signal.id}`)],
      ["Signal", h("span", {class: "mono"}, signal.id)],
    ]);
  }
  return about(version, [["Then", SAVED[version.reason]]]);
}

/** The facts of a version. */
export const about = (version, more = []) => facts([
  ["When", `${moment(version.time)}, shard ${version.partition}, position ${count(version.position)}`], ...more,
  ["Model", version.model], ["Learned", `${count(version.updates)} labels`],
  ["Recent error", number(version.error)],
  ...Object.entries(version.metrics).filter(pair => Number.isFinite(pair[1])).slice(0, 4).map(([name, value]) => [title(name), figure(name, value)]),
  ["Comes from", version.parent || "the beginning"], ["Digest", h("span", {class: "mono"}, version.digest)],
]);

export function open(found) {
  if (found.length === 1) return panel(found[0].words, evidence(found[0]));
  panel(`${found.length} events`, h("ul", {class: "several"}, found.map(event => h("li", {}, h("h3", {}, event.words), evidence(event)))));
}

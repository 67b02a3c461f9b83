// The versions of a task, and going back to one.

import {$, count, facts, h, moment, number, panel, pill, table, when} from "./dom.js";
import {path, post, task} from "./http.js";
import {about, subject} from "./events.js";

/** Shows the versions; `live` is the last event of the feed, for what a roll back would change. */
export function show(versions, live, done) {
  const newest = [...versions].reverse();
  table($("versions"), "Saved versions, newest first", [
    ["Version", false, row => h("button", {class: "link", "data-key": row.id, onclick: () => panel(`Version ${row.id}`, about(row))}, row.id)],
    ["Saved", when, "time"],
    ["Shard", true, "partition"],
    ["Why", false, row => ({updates: "every so many labels", checkpoint: "by hand"})[row.reason] || `before ${row.reason}`],
    ["Learned", count, "updates"],
    ["Recent error", number, "error"],
    ["State", false, row => row.current ? pill("in use", "good") : row.pinned ? pill("pinned") : ""],
    ["", "act", row => h("button", {class: "small", "data-key": `back ${row.id}`, "aria-label": `Roll back to ${row.id}`, onclick: () => confirm(row, newest, live(), done)}, "Roll back")],
  ], newest, "No version is saved yet. One is saved every 10,000 labels unless the definition says otherwise, and before every reaction.");
}

function confirm(version, versions, live, done) {
  const shard = live?.shards.find(one => one.partition === version.partition), champion = shard?.arms?.champion;
  const from = versions.find(one => one.current && one.partition === version.partition);
  const go = h("button", {class: "danger", id: "go-back", onclick: () => goBack(version, go, done)}, "Roll back");
  panel(`Roll back shard ${version.partition}?`, [
    h("p", {}, `The champion of shard ${version.partition} of ${task} becomes ${version.id}, saved ${moment(version.time)}.`),
    facts([
      champion && ["Now", `${count(champion.updates)} labels learned${from ? `, from ${from.id}` : ""}, recent error ${number(champion.window.mae ?? (champion.window.accuracy === null ? null : 1 - champion.window.accuracy))}`],
      ["Then", `${count(version.updates)} labels learned, recent error ${number(version.error)} when it was saved`],
      ["Kept", "the model of now is saved as a version first; the metrics go on"],
      ["Starts anew", `the detectors of ${subject("error")}`],
      ["Command", h("code", {}, `headrace rollback ${task} ${version.id}`)],
    ])], go);
}

async function goBack(version, button, done) {
  button.disabled = true;
  try {
    const answer = await post(path(task, "control"), {control: "rollback", to: version.id, partitions: [version.partition], by: "the page", wait_s: 20});
    const did = answer.shards[0].did;
    panel(did?.startsWith("refused") ? "Not rolled back" : did ? "Rolled back" : "On its way", facts([["Shard", version.partition], ["Did", did || "it has not come to the record yet"], ["Record", h("code", {}, answer.id)]]));
    done();
  } catch (error) {
    const role = error.code === "role" ? " A roll back takes a key with the role admin." : "";
    panel("Not rolled back", [h("p", {}, error.message + role), h("p", {class: "note"}, error.remedy)]);
  }
}

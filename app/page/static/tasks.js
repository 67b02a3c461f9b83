// The list of all tasks.

import {$, count, figure, h, short, table} from "./dom.js";
import {begin, every, feed, lost, path, read} from "./http.js";

const shards = row => Object.entries(row.shards).map(([state, number]) => `${number} ${state}`).join(", ");

const COLUMNS = [
  ["Task", false, row => h("a", {href: `tasks/${encodeURIComponent(row.task)}`, "data-key": row.task}, row.task)],
  ["Kind", false, row => row.kind],
  ["Model", false, row => row.model],
  ["Shards", false, row => h("span", {class: row.shards.stopped ? "bad" : ""}, shards(row))],
  ["Recent", true, row => figure(row.metric, row.recent)],
  ["Learned", count, "updates"],
  ["Messages", count, "messages"],
  ["Lag", short, "lag"],
];

let last = null;

begin(() => every(2, async () => {
  try {
    const {tasks} = await read(path());
    table($("tasks"), "Tasks of this worker", COLUMNS, tasks.map(({staleness_s, ...row}) => row), "This worker has no task.");
    feed("live", "Live");
    last = Date.now() / 1000;
  } catch (error) {
    error.status === 401 ? feed("", "") : lost(last);
    throw error;
  }
}));

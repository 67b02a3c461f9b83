// Asks the worker: relative to the page, so that it works under any prefix; with the key of this tab, if it has one.

import {$, text, when} from "./dom.js";

const page = document.documentElement.dataset;
const ROOT = new URL(page.root, location.href);
const KEPT = "headrace.key";
export const task = page.task;
export const path = (...parts) => ["v1", ...parts].map(encodeURIComponent).join("/");

export class Refusal extends Error {
  constructor(problem, status) {
    super(problem.detail || `the worker answered ${status}.`);
    Object.assign(this, {status, code: problem.code, remedy: problem.remedy || ""});
  }
}

export async function ask(where, options = {}) {
  const key = sessionStorage.getItem(KEPT), headers = {...options.headers, ...(key && {Authorization: `Bearer ${key}`})};
  const answer = await fetch(new URL(where, ROOT), {...options, headers, cache: "no-store", credentials: "same-origin"});
  if (answer.ok) return answer;
  const refusal = new Refusal(await answer.json().catch(() => ({})), answer.status);
  if (answer.status === 401 && key === sessionStorage.getItem(KEPT)) demand(refusal.message);
  throw refusal;
}
export const read = async where => (await ask(where)).json();
export const post = async (where, body) =>
  (await ask(where, {method: "POST", body: JSON.stringify(body), headers: {"Content-Type": "application/json"}})).json();

/** Asks for a key, and says why the last one was refused. */
function demand(why) {
  const key = sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  if (key) text("ask-why", `That key was refused: ${why}`);
  delete page.open;
  $("forget").hidden = true;
  $("ask").hidden = false;
  $("key").focus();
}

/** Runs the page, as soon as there is a key where one is needed. */
export function begin(run) {
  const guarded = page.guarded === "yes";
  let runs = false;
  const open = async () => {
    try {
      if (guarded) await ask(path());
    } catch (error) {
      if (error.status === 401) return;
    }
    if (runs) return location.reload(); // what ran with the former key has ended
    runs = true;
    $("ask").hidden = true;
    $("forget").hidden = !guarded;
    page.open = "";
    run();
  };
  $("ask").addEventListener("submit", event => {
    event.preventDefault();
    sessionStorage.setItem(KEPT, $("key").value.trim());
    $("key").value = "";
    open();
  });
  $("forget").addEventListener("click", () => { sessionStorage.removeItem(KEPT); location.reload(); });
  if (guarded && !sessionStorage.getItem(KEPT)) demand("");
  else open();
}

/** Waits, but no longer than until the page is seen again. */
export const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
export const seen = () => document.hidden
  ? new Promise(resolve => document.addEventListener("visibilitychange", resolve, {once: true})).then(seen) : Promise.resolve();

/** Says in the head of the page how the feed is. */
export function feed(style, words) {
  $("feed").className = `feed ${style}`;
  text("feed", words);
}

/** Says since when nothing is heard. */
export const lost = last => feed("lost", last ? `Stale since ${when(last)}, connecting again` : "Connecting");

const SILENT = 10000;

/** Calls back with each event of the live feed, and connects again when it is lost or silent, after it has read the past. Nothing is asked for while the page is hidden. */
export async function follow(where, past, take) {
  let last = null;
  for (let wait = 500; ; wait = Math.min(wait * 2, 10000)) {
    await seen();
    const stop = new AbortController(), hide = () => document.hidden && stop.abort();
    let silent = 0;
    const heard = () => { clearTimeout(silent); silent = setTimeout(() => stop.abort(), SILENT); };
    document.addEventListener("visibilitychange", hide);
    try {
      if (last) await past();
      heard();
      const reader = (await ask(where, {signal: stop.signal})).body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ;) {
        const {done, value} = await reader.read();
        if (done) throw new TypeError("the feed has ended");
        const events = (rest + value).split("\n\n");
        rest = events.pop();
        for (const event of events) take(JSON.parse(event.slice(6)));
        heard();
        feed("live", "Live");
        last = Date.now() / 1000;
        wait = 500;
      }
    } catch (error) {
      if (error.status === 401) return feed("", "");
      if (error instanceof Refusal) feed("lost", error.message);
      else if (!document.hidden) lost(last);
    } finally {
      clearTimeout(silent);
      document.removeEventListener("visibilitychange", hide);
    }
    await pause(wait);
  }
}

/** Does something every so many seconds while the page is seen; errors wait for the next time. */
export async function every(seconds, work) {
  for (;;) {
    await seen();
    try {
      await work();
    } catch (error) {
      if (error.status === 401) return;
    }
    await pause(1000 * seconds);
  }
}

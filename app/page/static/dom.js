// Elements and figures: everything that is shown is put in as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";
export const $ = id => document.getElementById(id);

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") node.style.cssText = value; // an attribute would break the policy
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(9).filter(child => child !== null && child !== undefined && child !== false));
  return node;
}
export const h = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => build(document.createElementNS(SVG, tag), attributes, children);

/** Replaces what a node holds, if it has changed, and keeps the focus where it was. */
export function fill(node, key, make) {
  key = JSON.stringify(key);
  if (node.shown === key) return;
  node.shown = key;
  const focused = node.contains(document.activeElement) && document.activeElement.dataset.key;
  node.replaceChildren(...[make() ?? []].flat(2));
  if (focused) node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

/** Says why there is nothing. */
export const empty = (...words) => h("p", {class: "empty"}, words);

/** Fills a table. A column is [title, its format or whether it is a number, what it holds of a row or the name of that]; the first one names the row. It scrolls by itself where it is too wide. */
export function table(node, caption, columns, rows, none = "Nothing yet.") {
  fill(node, [rows, columns.map(column => column[0])], () => {
    node.setAttribute("role", "table");
    let place = node.parentNode;
    if (place?.className !== "scroll") {
      place = h("div", {class: "scroll"});
      node.replaceWith(place);
      place.append(node);
    }
    build(place, {tabindex: 0, role: "region", "aria-label": caption}, []);
    const style = kind => kind === true || kind.call && kind !== when ? "n" : kind.call ? "" : kind;
    const head = columns.map(([title, kind]) => h("th", {scope: "col", role: "columnheader", class: style(kind) === "n" && "n"}, title || h("span", {class: "hide"}, "Action")));
    const line = row => h("tr", {role: "row"}, columns.map(([title, kind, read], at) => {
      const held = read.call ? read(row) : row[read], shown = (kind.call ? kind(held) : held) ?? "–";
      return at ? h("td", {role: "cell", class: style(kind), "data-label": title}, shown) : h("th", {scope: "row", role: "rowheader"}, shown);
    }));
    return [h("caption", {class: "hide"}, caption), h("thead", {role: "rowgroup"}, h("tr", {role: "row"}, head)),
      h("tbody", {role: "rowgroup"}, rows.length ? rows.map(line) : h("tr", {role: "row"}, h("td", {role: "cell", colspan: columns.length, class: "empty"}, none)))];
  });
}

/** A new table. */
export function list(caption, columns, rows) {
  const node = h("table", {class: "stack"});
  table(node, caption, columns, rows);
  return node.parentNode;
}

export const facts = pairs => h("dl", {class: "facts"}, pairs.filter(pair => pair && pair[1] !== null && pair[1] !== undefined)
  .map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

export function text(id, value) {
  const node = $(id);
  if (node.textContent !== value) node.textContent = value;
}

/** Opens the panel. Its last button closes it; further ones do something first. */
export function panel(title, body, ...buttons) {
  const dialog = $("panel");
  text("panel-title", title);
  $("panel-body").replaceChildren(...[body].flat());
  const close = h("button", {id: "panel-close", onclick: () => dialog.close()}, buttons.length ? "Cancel" : "Close");
  $("panel-ends").replaceChildren(close, ...buttons);
  if (!dialog.open) dialog.showModal();
}

const whole = new Intl.NumberFormat("en", {maximumFractionDigits: 0});
const compact = new Intl.NumberFormat("en", {notation: "compact", maximumFractionDigits: 1});
const RATIOS = ["accuracy", "f1", "precision", "recall", "balanced_accuracy", "roc_auc", "pr_auc", "ece"];
const none = value => value === null || value === undefined || !Number.isFinite(value);

export const count = value => none(value) ? "–" : whole.format(value);
export const short = value => none(value) ? "–" : value < 1e5 ? whole.format(value) : compact.format(value);
export const number = value => none(value) ? "–" : Math.abs(value) >= 1e5 ? whole.format(value) : String(Number(value.toPrecision(4)));
export const percent = (value, digits = 1) => none(value) ? "–" : `${(100 * value).toFixed(digits)} %`;
export const figure = (name, value) => RATIOS.includes(name) ? percent(value) : number(value);
export const title = name => ({mae: "Mean absolute error", rmse: "RMSE", r2: "R²", f1: "F1", ece: "Calibration error", mcc: "MCC", roc_auc: "ROC AUC", pr_auc: "PR AUC"})[name]
  || name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");
export const rate = value => none(value) ? "–" : value && value < 10 ? `${value.toFixed(1)}/s` : `${short(value)}/s`;
export function span(seconds) {
  if (none(seconds)) return "–";
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"], [1e-3, "ms"], [1e-6, "µs"]].find(([size]) => seconds >= size) || [1, "s"];
  const value = seconds / size;
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toPrecision(value < 10 ? 2 : 3)} ${unit}`;
}
export function when(seconds) {
  if (none(seconds)) return "–";
  const date = new Date(seconds * 1000), time = date.toLocaleTimeString("en-GB");
  return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString("en-CA")} ${time}`;
}
export const ZONE = new Date().toLocaleTimeString("en-GB", {timeZoneName: "short"}).split(" ").pop();
export const moment = seconds => `${when(seconds)} ${ZONE}`;
export const value = any => any === null || any === undefined ? "–" : typeof any === "number" ? number(any) : typeof any === "string" ? any : JSON.stringify(any);
export const pill = (name, style) => h("span", {class: `pill ${style || ""}`}, name);
const STYLES = {live: "good", stopped: "bad", opening: "warn", waiting: "warn", stale: "warn", replica: ""};
export const state = name => pill(name, STYLES[name]);

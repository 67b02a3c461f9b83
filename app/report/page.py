"""Puts the sections of a report into one HTML document with its style: no script, and nothing that is fetched from elsewhere."""

from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version

from headrace.app.report import sections
from headrace.app.report.markup import Html, el, join
from headrace.app.report.run import Run

SECTIONS: dict[str, Callable[[Run], Html | None]] = {
    "Over time": sections.over_time,
    "Experiments": sections.experiments,
    "Figures": sections.figures,
    "Errors": sections.errors,
    "Calibration": sections.calibration,
    "Signals and reactions": sections.signals,
    "Versions": sections.versions,
    "Refused records": sections.refused,
    "Shards": sections.shards,
    "Definition of the task": sections.definition,
}
"""The sections of a report, by title; one that has nothing to show is left out."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The browser is told to fetch nothing and to run nothing, whatever the document holds."""

STYLE = """
:root { color-scheme: light dark; --page: #fbfbfa; --card: #fff; --ink: #1c1e21; --soft: #5c6370; --line: #dfe1e5;
  --s1: #1f6feb; --s2: #d9480f; --s3: #0b7a55; --s4: #7c4dcc; --s5: #c2255c; --s6: #0c8599; --s7: #8f6200; --s8: #5c5f66; --right: 31 111 235; --wrong: 217 72 15; }
@media (prefers-color-scheme: dark) { :root { --page: #15171a; --card: #1d2024; --ink: #e6e8eb; --soft: #9aa2ad; --line: #353a41;
  --s1: #6ea8fe; --s2: #ff9a62; --s3: #4cc38a; --s4: #b794f6; --s5: #f783ac; --s6: #66d9e8; --s7: #ffd43b; --s8: #ced4da; --right: 110 168 254; --wrong: 255 154 98; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 3rem; }
header p, footer, figcaption, td small, th small, main > p { color: var(--soft); }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
header p { margin: 0 0 1.5rem; }
h2 { font-size: 1.15rem; margin: 0 0 .75rem; }
h3 { font-size: .95rem; margin: 0 0 .5rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.25rem 1.4rem; margin: 1rem 0; }
section p { margin: 0 0 .8rem; color: var(--soft); max-width: 46rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .8rem 1rem; }
.tiles b { display: block; font-size: 1.55rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: .85rem; }
.frame { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .38rem .8rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
th:first-child, td:first-child { padding-left: 0; } th:last-child, td:last-child { padding-right: 0; }
tbody tr:last-child td, tbody tr:last-child th { border-bottom: 0; }
.number { text-align: right; white-space: nowrap; }
td small, th small { display: block; font-weight: 400; font-size: .78rem; }
code { font: .84rem ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.matrix { width: auto; }
.matrix th, .matrix td, .matrix th:first-child, .matrix td:last-child { padding: .5rem .9rem; text-align: right; border: 1px solid var(--line); }
.matrix th:first-child { text-align: left; }
.matrix tbody tr:last-child th, .matrix tbody tr:last-child td { border-bottom: 1px solid var(--line); }
.right { background: rgb(var(--right) / calc(var(--share, 0) * 11%)); }
.wrong { background: rgb(var(--wrong) / calc(var(--share, 0) * 11%)); }
.shade1 { --share: 1; } .shade2 { --share: 2; } .shade3 { --share: 3; } .shade4 { --share: 4; } .shade5 { --share: 5; }
.trouble { color: var(--s2); }
figure { margin: 0; }
figure.square { width: 24rem; max-width: 100%; flex: none; }
.beside { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
.beside > .frame { flex: 1 1 20rem; }
.beside > div { max-width: 100%; min-width: 0; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 12px; }
.grid { stroke: var(--line); }
.ideal { stroke: var(--soft); stroke-dasharray: 4 4; }
.mark { stroke: var(--soft); stroke-dasharray: 3 3; opacity: .7; }
.mark.verdict { stroke: var(--ink); stroke-dasharray: none; }
.s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); } .s4 { --c: var(--s4); }
.s5 { --c: var(--s5); } .s6 { --c: var(--s6); } .s7 { --c: var(--s7); } .s8 { --c: var(--s8); }
.curve { fill: none; stroke: var(--c); stroke-width: 1.8; stroke-linejoin: round; }
.curve.d1 { stroke-dasharray: 8 4; } .curve.d2 { stroke-dasharray: 2 3; } .curve.d3 { stroke-dasharray: 9 3 2 3; }
.dot { fill: var(--c); fill-opacity: .75; stroke: var(--c); } .dot.d1, .dot.d2, .dot.d3 { fill-opacity: 0; }
figcaption { font-size: .85rem; margin-top: .4rem; }
figcaption span { margin-right: 1.2rem; white-space: nowrap; }
.key { display: inline-block; width: 27px; height: 4px; margin-right: .45em; vertical-align: middle; background: var(--c); }
.key.d1 { background: repeating-linear-gradient(90deg, var(--c) 0 8px, transparent 8px 12px); }
.key.d2 { background: repeating-linear-gradient(90deg, var(--c) 0 2px, transparent 2px 5px); }
.key.d3 { background: repeating-linear-gradient(90deg, var(--c) 0 9px, transparent 9px 12px, var(--c) 12px 14px, transparent 14px 17px); }
footer { font-size: .85rem; margin-top: 1.5rem; }
@media print { :root { color-scheme: light; --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #ccc; --s1: #1f6feb; --s2: #d9480f;
  --s3: #0b7a55; --s4: #7c4dcc; --s5: #c2255c; --s6: #0c8599; --s7: #8f6200; --s8: #5c5f66; --right: 31 111 235; --wrong: 217 72 15; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } body { font-size: 11px; } main { max-width: none; padding: 0; }
  section { padding: .8rem 1rem; } h2, h3 { break-after: avoid; } tr, figure, .tiles { break-inside: avoid; } .frame { overflow: visible; } }
"""


def write_page(run: Run, made: datetime) -> str:
    """Write the report of a run.

    Parameters
    ----------
    run
        The run.
    made
        When it was asked for, UTC.
    """
    task, kind = run.status.task, run.status.kind
    title = f"{task}: report of a run"
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", title),
        el("style", Html(STYLE)),
    )
    shards = len(run.status.overall.shards)
    about = f"{kind}, {shards} {'shard' if shards == 1 else 'shards'}, {sections.champion_of(run)}. As of {made:%Y-%m-%d %H:%M:%S} UTC."
    parts = [
        el("section", el("h2", name), content)
        for name, write in SECTIONS.items()
        if (content := write(run)) is not None
    ]
    footer = el(
        "footer", f"Made by headrace {version('headrace')} from the state of a worker. Times are log time in UTC."
    )
    body = el("body", el("main", el("header", el("h1", task), el("p", about)), sections.summary(run), *parts, footer))
    return "<!doctype html>\n" + join([Html('<html lang="en">'), head, body, Html("</html>")]) + "\n"

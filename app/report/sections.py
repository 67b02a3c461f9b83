"""Writes the sections of a report. A section without anything to show is None."""

import json
from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
from msgspec import UnsetType

from headrace.app.answers import InForce, ShardStatus, StoredSignal, Waits
from headrace.app.report.charts import Curve, Mark, moment, over_run, reliability
from headrace.app.report.markup import Content, Html, el, join, table
from headrace.app.report.run import Run
from headrace.app.verdicts import say_verdict
from headrace.learning.codes import REFUSALS, RefusalCode
from headrace.learning.metrics import MAIN
from headrace.learning.metrics.overall import ArmFigures
from headrace.learning.task import Json

NAMES = {"mae": "mean absolute error"}
"""What the readers of a report call a metric, where its name is short."""

ROWS_MAX = 50
"""The newest signals and versions that are listed."""

LABELS_MAX = 12
"""Up to so many labels, errors are shown as a matrix; otherwise as the most frequent pairs."""

SHADES = 5

AT_ONCE_SECONDS = 10.0
"""What comes within so many seconds may be a file that was sent: its log time tells nothing."""


def main_metric(run: Run) -> str:
    """Return the metric that is shown over time and in the summary."""
    return MAIN[run.status.kind]


def looks_of(run: Run) -> dict[str, int]:
    """Number the look of each arm, the champion first, so that an arm looks the same in each chart, and none as another one."""
    names = {name for one in run.status.shards if not isinstance(one.arms, UnsetType) for name in one.arms}
    names |= {*run.status.overall.arms, *(name for point in run.points or () for name in point["arms"])}
    return {name: look for look, name in enumerate(sorted(names, key=lambda name: _rank(name, 0)))}


def number(value: Json) -> str:
    """Write a figure; a dash if there is none.

    Examples
    --------
    >>> number(0.89851), number(12345), number(None), number(123.456)
    ('0.8985', '12,345', '-', '123.5')
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4f}"


def champion_of(run: Run) -> str:
    """Name the models of the champion, which differ between shards only for a while."""
    arms = [one.arms["champion"] for one in run.status.shards if not isinstance(one.arms, UnsetType)]
    return "champion " + (", ".join(sorted({arm.model for arm in arms})) or "unknown")


def summary(run: Run) -> Html:
    """Write the most important figures: tiles, and a sentence on the champion."""
    status, metric, champion = run.status, main_metric(run), run.status.overall.arms.get("champion")
    learned = sum(one.updates for one in status.shards if not isinstance(one.updates, UnsetType))
    refused = sum(one.quarantined for one in status.shards if not isinstance(one.quarantined, UnsetType))
    figures = champion.metrics if champion else {"window": {}}
    name = NAMES.get(metric, metric)
    tiles = [
        ("labels learned", number(learned)),
        (f"{name}, all", number(figures.get(metric))),
        (
            f"{name}, last 1,000" + (" of each shard" if len(status.shards) > 1 else ""),
            number(figures["window"].get(metric)),
        ),
        ("signals", number(len(run.signals))),
        ("versions saved", number(len(run.versions))),
        ("records refused", number(refused)),
    ]
    return el("div", *(el("div", el("b", value), el("span", what)) for what, value in tiles), class_="tiles")


def definition(run: Run) -> Html | None:
    """Write what the task is: the definition by which its shards fold."""
    known = [one.definition for one in run.status.shards if isinstance(one.definition, InForce)]
    if not known:
        return None
    rows = [
        (key, el("code", json.dumps(value, ensure_ascii=False)))
        for key, value in known[0].task.items()
        if value is not None
    ]
    others = {one.fingerprint for one in known} - {known[0].fingerprint}
    note = (
        el("p", f"Some shards fold by another definition; this is that of shard {run.status.shards[0].partition}.")
        if others
        else None
    )
    return join([note, table(("setting", "value"), rows)])


def over_time(run: Run) -> Html | None:
    """Draw the main metric of each arm over log time, or over labels where much of the log came at once; with the signals as marks."""
    looks = looks_of(run)
    by_shard = dict[int, list[dict[str, Json]]]()
    for point in sorted(run.points or (), key=lambda one: (one["partition"], one["position"])):
        by_shard.setdefault(point["partition"], []).append(point)
    by_labels = any(map(_came_at_once, by_shard.values()))
    metric, curves = main_metric(run), dict[tuple[str, int], list[tuple[float, float]]]()
    for partition, points in by_shard.items():
        for point in points:
            for name, arm in point["arms"].items():
                value = (arm.get("window") or {}).get(metric)
                if isinstance(value, int | float):
                    at = point["updates" if by_labels else "time"]
                    curves.setdefault((name, partition), []).append((at, float(value)))
    if not curves:
        return None
    drawn = [
        Curve(name, looks[name], points) for (name, _), points in sorted(curves.items(), key=lambda one: _rank(*one[0]))
    ]
    marks = [
        Mark(_labels_at(by_shard[one.partition], one.position) if by_labels else one.time, _told(one), one.kind == "experiment")
        for one in run.signals
        if one.partition in by_shard
    ]  # fmt: skip
    axis = "labels learned, since much of the log came at once" if by_labels else "log time (UTC)"
    title = f"{NAMES.get(metric, metric).capitalize()} of the last 1,000 scored predictions, over {axis}"
    several = " Each shard has a curve of its own." if len(by_shard) > 1 else ""
    note = f"{title}.{several}" + (" A dashed line is a signal, a solid one a verdict on two arms." if marks else "")
    chart = over_run(title, drawn, marks, by_labels=by_labels, most=None if metric == "mae" else 1.0)
    return join([el("p", note), chart])


def _came_at_once(points: Sequence[dict[str, Json]]) -> bool:
    """Tell whether a quarter of a shard's labels came within some seconds or a hundredth of its log time, as when a file is sent.

    Over log time, their curve would be one vertical line.
    """
    times, labels = [point["time"] for point in points], [point["updates"] for point in points]
    brief, many, start = max((times[-1] - times[0]) / 100, AT_ONCE_SECONDS), (labels[-1] - labels[0]) / 4, 0
    for end, time in enumerate(times):
        while time - times[start] > brief:
            start += 1
        if labels[end] - labels[start] > many:
            return True
    return False


def _labels_at(points: Sequence[dict[str, Json]], position: int) -> float:
    """Tell how many labels a shard had learned at a position, between those of two points in proportion."""
    positions, labels = [point["position"] for point in points], [point["updates"] for point in points]
    return float(np.interp(position, positions, labels))


def _told(signal: StoredSignal) -> str:
    """Say in words what a mark stands for."""
    what = signal.action if signal.kind == "experiment" else f"{signal.detector}, {signal.watched} {signal.direction}"
    return f"{moment(signal.time)}: {what}"


def figures(run: Run) -> Html | None:
    """Write every metric of each arm, over all of the log and of late."""
    arms = sorted(run.status.overall.arms.items(), key=lambda one: _rank(one[0], 0))
    arms = [(name, arm) for name, arm in arms if arm.scored]
    if not arms:
        return None
    models = {
        name: arm.model
        for shard in run.status.shards
        if not isinstance(shard.arms, UnsetType)
        for name, arm in shard.arms.items()
    }
    head: list[Content] = ["metric"]
    for name, _ in arms:
        head += [
            join([f"{name}, all", el("small", models.get(name, ""))]),
            join([f"{name}, recent", el("small", "last 1,000")]),
        ]
    names = [name for name in arms[0][1].metrics if name != "window"]
    rows: list[list[Content]] = [["scored", *(cell for _, arm in arms for cell in (number(arm.scored), ""))]]
    for name in names:
        cells = [
            cell for _, arm in arms for cell in (number(arm.metrics.get(name)), number(arm.metrics["window"].get(name)))
        ]
        rows.append([name, *cells])
    return table(head, rows, numbers=range(1, len(head)))


def errors(run: Run) -> Html | None:
    """Write how often each label met each predicted label; of a regression, the quantile losses."""
    parts = [part for name, arm in run.status.overall.arms.items() if (part := _errors_of(name, arm)) is not None]
    return el("div", *parts, class_="beside") if parts else None


def _errors_of(name: str, arm: ArmFigures) -> Html | None:
    if any(value is not None for value in arm.quantile_losses.values()):
        losses = [(quantile, number(loss)) for quantile, loss in arm.quantile_losses.items()]
        return el("div", el("h3", name), table(("quantile", "loss"), losses, numbers=(0, 1)))
    if not arm.confusion:
        return None
    labels = sorted(
        {label for pair in arm.confusion for label in (pair.label, pair.predicted)},
        key=lambda one: (str(type(one)), one),
    )
    if len(labels) > LABELS_MAX:
        wrong = [pair for pair in arm.confusion if pair.label != pair.predicted][:ROWS_MAX]
        rows = [(json.dumps(pair.label), json.dumps(pair.predicted), number(pair.count)) for pair in wrong]
        return el(
            "div",
            el("h3", f"{name}: the most frequent errors"),
            table(("label", "predicted", "count"), rows, numbers=[2]),
        )
    counts = {(pair.label, pair.predicted): pair.count for pair in arm.confusion}
    totals = {label: sum(counts.get((label, other), 0) for other in labels) for label in labels}

    def cell(label: Json, predicted: Json) -> Html:
        count = counts.get((label, predicted), 0)
        share = count / (totals[label] or 1)
        shade = f"{'right' if label == predicted else 'wrong'} shade{round(share * SHADES)}"
        return el("td", number(count), el("small", f"{share:.1%}"), class_=shade)

    head = el("tr", el("th", "label \\ predicted"), *(el("th", _plain(label)) for label in labels))
    body = [el("tr", el("th", _plain(label)), *(cell(label, predicted) for predicted in labels)) for label in labels]
    matrix = el("table", el("thead", head), el("tbody", *body), class_="matrix")
    return el("div", el("h3", name), el("div", matrix, class_="frame"))


def calibration(run: Run) -> Html | None:
    """Draw the reliability curve of each arm, with its calibration error."""
    looks = looks_of(run)
    curves, weights, rows = list[Curve](), list[list[int]](), list[tuple[str, str, str, str]]()
    for name, arm in sorted(run.status.overall.arms.items(), key=lambda one: _rank(one[0], 0)):
        if arm.calibration is None or not arm.calibration["equal_width"].bins:
            continue
        curve = arm.calibration["equal_width"]
        curves.append(Curve(name, looks[name], [(one.predicted, one.observed) for one in curve.bins]))
        weights.append([one.count for one in curve.bins])
        rows.append((name, number(curve.ece), number(curve.murphy.reliability), number(curve.murphy.resolution)))
    if not curves:
        return None
    note = "On the diagonal, a probability is what it says. The area of a dot is the number of predictions."
    head = ("arm", "calibration error", "reliability", "resolution")
    drawn = reliability("The share of labels that were true, against the predicted probability", curves, weights)
    return join([el("p", note), el("div", drawn, table(head, rows, numbers=(1, 2, 3)), class_="beside")])


def signals(run: Run) -> Html | None:
    """Write what was noticed, and what was done about it, newest first."""
    rows = [
        (moment(one.time), one.partition, f"{one.detector} ({one.kind})", f"{one.watched}{f' of {one.arm}' if one.arm else ''}, {one.direction}",
         f"{one.before:.4g} → {one.after:.4g}", one.action + (" (waits for an operator)" if one.waits else ""))
        for one in reversed(run.signals[-ROWS_MAX:])
    ]  # fmt: skip
    head = ("log time (UTC)", "shard", "detector", "watched", "before → after", "reaction")
    return join([_only_newest(run.signals), table(head, rows)]) if rows else None


def versions(run: Run) -> Html | None:
    """Write the saved models, newest first."""
    rows = [
        (moment(one.time), one.id + (" ● current" if one.current else ""), one.model, one.reason, number(one.updates), number(one.error))
        for one in reversed(run.versions[-ROWS_MAX:])
    ]  # fmt: skip
    head = ("log time (UTC)", "version", "model", "why it was saved", "labels learned", "recent error")
    return join([_only_newest(run.versions), table(head, rows, numbers=(4, 5))]) if rows else None


def experiments(run: Run) -> Html | None:
    """Write the comparisons of arms: the verdict in words, and the losses and bounds that it comes from."""
    rows = [
        (f"{one['a']} against {one['b']}", one["partition"], el("b", say_verdict(one)), number(one["count"]), one["loss"], number(one["mean_a"]),
         number(one["mean_b"]), _with_bounds(one), number(one["margin"]))
        for one in run.experiments or ()
    ]  # fmt: skip
    note = (
        "An arm is better if the bounds of the difference lie beyond the margin, and two arms are equivalent if they lie "
        "within it. The difference is the loss of the first less that of the second."
    )
    head = (
        "arms",
        "shard",
        "verdict",
        "labels",
        "loss",
        "of the first",
        "of the second",
        "difference (bounds)",
        "margin",
    )
    return join([el("p", note), table(head, rows, numbers=(1, 3, 5, 6, 8))]) if rows else None


def _with_bounds(experiment: dict[str, Json]) -> str:
    if experiment["difference"] is None:
        return "-"
    bounds = f"{experiment['low']:+.4f} to {experiment['high']:+.4f}, {100 - 100 * experiment['alpha']:.4g} %"
    return f"{experiment['difference']:+.4f} ({bounds})"


def refused(run: Run) -> Html | None:
    """Write how many records were refused for each reason. No record is shown."""
    if run.refused is None or not run.refused.counts:
        return None
    rows = []
    for code, count in run.refused.counts.items():
        meaning = REFUSALS.get(cast("RefusalCode", code))
        rows.append((code, number(count), *map(_with_code, meaning or ("", ""))))
    which = "all" if run.refused.counted >= run.refused.kept else f"the newest {run.refused.counted:,}"
    note = el("p", f"Counted: {which} of the {run.refused.kept:,} records in the quarantine.")
    return join([note, table(("reason", "count", "what it means", "what to do"), rows, numbers=[1])])


def shards(run: Run) -> Html | None:
    """Write state, position and questions of each shard."""
    head = (
        "shard",
        "state",
        "position",
        "behind",
        "labels learned",
        "refused",
        "skipped",
        "questions waiting",
        "answered",
        "expired",
    )
    rows = [row for one in run.status.shards if (row := _shard(one))]
    troubles = [
        el("p", f"Shard {one.partition}: {one.error}", class_="trouble")
        for one in run.status.shards
        if isinstance(one.error, str)
    ]
    return join([table(head, rows, numbers=range(2, len(head))), *troubles]) if rows else None


def _shard(shard: ShardStatus) -> tuple[Content, ...]:
    if isinstance(shard.position, UnsetType) or isinstance(shard.questions, UnsetType):
        return (shard.partition, shard.state, *[""] * 8)
    behind = shard.end - shard.position if isinstance(shard.end, int) else None
    asked = shard.questions
    state = f"{shard.state} for {shard.waits.why}" if isinstance(shard.waits, Waits) else shard.state
    counted = (
        shard.position,
        behind,
        shard.updates,
        shard.quarantined,
        shard.skipped,
        asked["waiting"],
        asked["answered"],
        asked["expired"],
    )
    return (shard.partition, state, *map(number, counted))


def _only_newest(listed: Iterable[object]) -> Html | None:
    count = len(list(listed))
    return el("p", f"The newest {ROWS_MAX} of {count:,}.") if count > ROWS_MAX else None


def _with_code(text: str) -> Html:
    """Set what stands between backticks as code.

    Examples
    --------
    >>> print(_with_code("Raise `wait`."))
    Raise <code>wait</code>.
    """
    return join(el("code", part) if at % 2 else part for at, part in enumerate(text.split("`")))


def _plain(label: Json) -> str:
    return label if isinstance(label, str) else json.dumps(label)


def _rank(name: str, partition: int) -> tuple[bool, str, int]:
    """Order arms: the champion first."""
    return name != "champion", name, partition

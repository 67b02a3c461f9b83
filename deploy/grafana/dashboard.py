"""Prints the Grafana dashboard deploy/grafana/headrace.json from the table of its panels: `make reference` writes it, and a test compares.

A panel's id is the hundred of its row and its place there, so a new panel goes last in its row: links and alerts keep the others' ids.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

PRINTED = Path(__file__).with_name("headrace.json")

SCHEMA_VERSION = 41
"""Of Grafana 12. Later ones migrate what they load."""

COLUMNS, WIDTH, HEIGHT = 24, 8, 8
"""A row of Grafana's grid, and the size of a panel, in its units."""

SOURCE = {"type": "prometheus", "uid": "${datasource}"}

TASK = 'task=~"$task"'
SHARD = 'task=~"$task", partition=~"$partition"'
RATE = "$__rate_interval"

OK, WARN, BAD = "green", "orange", "red"


class Query(NamedTuple):
    """A query of Prometheus, and the name of each series that it returns."""

    expr: str
    legend: str


class Panel(NamedTuple):
    """A panel of the dashboard.

    Parameters
    ----------
    title, meaning
        The heading, and the text behind it.
    unit
        The unit of the values, by Grafana's id of it.
    queries
        What is shown.
    limits
        The values from which on it is orange and red; None where there is no such value.
    draw
        Lines for what lasts, bars for what happens, points in time; `"stat"` for a number.
    """

    title: str
    meaning: str
    unit: str
    queries: Sequence[Query]
    limits: tuple[float | None, float | None] = (None, None)
    draw: Literal["line", "bars", "stat"] = "line"


def total(name: str, selected: str, by: str) -> str:
    """Return the sum of a family by labels."""
    return f"sum by ({by}) ({name}{{{selected}}})"


def rate(name: str, selected: str, by: str) -> str:
    """Return how much a counter grows a second, by labels."""
    return f"sum by ({by}) (rate({name}{{{selected}}}[{RATE}]))"


def happened(name: str, selected: str, by: str) -> str:
    """Return how much a counter has grown since the last point, by labels."""
    return f"sum by ({by}) (increase({name}{{{selected}}}[{RATE}]))"


def quantiles(name: str, by: str = "task") -> list[Query]:
    """Return the queries for three quantiles of a histogram."""
    return [
        Query(f"histogram_quantile({share}, {rate(f'{name}_bucket', TASK, f'{by}, le')})", f"{{{{{by}}}}} p{percent}")
        for share, percent in ((0.5, 50), (0.95, 95), (0.99, 99))
    ]


def of_arms(name: str, *windows: str) -> list[Query]:
    """Return the queries for a figure of each arm, averaged over the shards that are selected."""
    return [
        Query(f'avg by (task, arm) ({name}{{{SHARD}, window="{window}"}})', f"{{{{task}}}} {{{{arm}}}} {window}")
        for window in windows
    ]


ROWS: Sequence[tuple[str, Sequence[Panel]]] = (
    ("Learning", (
        Panel("Throughput", "Labels learned, records handled, and messages that arrive in the event log.", "cps",
              [Query(rate("headrace_updates_total", SHARD, "task"), "{{task}} learned"),
               Query(rate("headrace_records_total", SHARD, "task"), "{{task}} handled"),
               Query(rate("headrace_arrived_messages_total", SHARD, "task"), "{{task}} messages arrived")]),
        Panel("Update latency", "From the timestamp of a message in Kafka until all of its records are folded. "
              "Not by partition.", "s", quantiles("headrace_update_latency_seconds"), (0.1, 1)),
        Panel("Lag", "Messages of the event log that are not folded yet.", "short",
              [Query(total("headrace_lag_messages", SHARD, "task, partition"), "{{task}}/{{partition}}")], (1_000, 10_000)),
        Panel("Waiting", "Questions that wait for their label, labels that wait for their question, and records that wait for "
              "their time or their batch.", "short",
              [Query(total("headrace_pending_questions", SHARD, "task"), "{{task}} questions"),
               Query(total("headrace_pending_labels", SHARD, "task"), "{{task}} labels"),
               Query(total("headrace_held_records", SHARD, "task, buffer"), "{{task}} held for {{buffer}}")]),
        Panel("Rows of sources", "Rows of a team's own topics, by what became of them. Not by partition.", "cps",
              [Query(rate("headrace_source_rows_total", TASK, "task, outcome"), "{{task}} {{outcome}}")]),
        Panel("Lag of sources", "Messages of a source that are not mapped yet.", "short",
              [Query(total("headrace_source_lag_messages", TASK, "task, topic"), "{{task}} {{topic}}")], (1_000, 10_000)),
    )),
    ("Answers", (
        Panel("Answers", "Questions that were answered, over HTTP or Kafka. Not by partition.", "cps",
              [Query(rate("headrace_predictions_total", TASK, "task"), "{{task}}")]),
        Panel("Answer latency", "Time that an answered request for predictions took in the worker. Not by partition.", "s",
              quantiles("headrace_inference_latency_seconds"), (0.1, 1)),
        Panel("Staleness", "At most so many seconds of the log are missing in the model that answers.", "s",
              [Query(f"max by (task, partition, state) (headrace_staleness_seconds{{{SHARD}}})",
                     "{{task}}/{{partition}} {{state}}")], (10, 60)),
        Panel("Refused questions", "Questions that could not be answered, by the code of the problem. Not by partition.", "short",
              [Query(happened("headrace_predictions_refused_total", TASK, "task, code"), "{{task}} {{code}}")], (1, None), "bars"),
        Panel("Logged questions", "Questions with log = async, by what became of them. Of all tasks.", "cps",
              [Query(f"sum by (outcome) (rate(headrace_questions_logged_total[{RATE}]))", "{{outcome}}")]),
    )),
    ("Worth", (
        Panel("Accuracy, recent", "The share of right predictions among the last 1,000 scored ones, of each arm.", "percentunit",
              of_arms("headrace_accuracy_ratio", "recent")),
        Panel("Accuracy, all", "The share of right predictions over the whole log, of each arm.", "percentunit",
              of_arms("headrace_accuracy_ratio", "all")),
        Panel("Error of the champion, by the usual one",
              "The recent error by the error over the whole log: 1.1 is ten per cent worse than usual.", "short",
              [Query(f"max by (task, partition) (task_partition:headrace_champion_error:degradation{{{SHARD}}})",
                     "{{task}}/{{partition}}")], (1.1, 1.5)),
        Panel("Log loss", "The mean log loss of each arm, over the last 1,000 scored predictions and over the whole log.", "short",
              of_arms("headrace_log_loss", "recent", "all")),
        Panel("Mean absolute error", "That of each arm of a regression, over the last 1,000 predictions and over the whole log.", "short",
              of_arms("headrace_mean_absolute_error", "recent", "all")),
        Panel("Label delay", "From question to label, in log time, of the last 1,000 answered questions: the slowest shard.", "s",
              [Query(f"max by (task, percentile) (headrace_label_delay_seconds{{{SHARD}}})", "{{task}} p{{percentile}}")]),
        Panel("Labels of questions", "Questions whose label has come, and those whose label has not come in time.", "cps",
              [Query(rate("headrace_questions_answered_total", SHARD, "task"), "{{task}} answered"),
               Query(rate("headrace_questions_expired_total", SHARD, "task"), "{{task}} expired")]),
    )),
    ("What happened", (
        Panel("Signals", "Signals of detectors and guards.", "short",
              [Query(happened("headrace_signals_total", SHARD, "task, kind, detector, direction"),
                     "{{task}} {{kind}}: {{detector}} {{direction}}")], (1, None), "bars"),
        Panel("Alerts", "Alerts that were published, by code. Not by partition.", "short",
              [Query(happened("headrace_alerts_total", TASK, "task, code"), "{{task}} {{code}}")], (1, None), "bars"),
        Panel("Quarantined", "Records that were refused, by code. Not by partition.", "short",
              [Query(happened("headrace_quarantined_total", TASK, "task, code"), "{{task}} {{code}}")], (1, None), "bars"),
        Panel("Changed features", "Features that come no more, are new, or have another type, in the last 100,000 samples of a shard.", "short",
              [Query(f"max by (task, change) (headrace_changed_features{{{SHARD}}})", "{{task}} {{change}}")], (1, None)),
        Panel("Misplaced keys", "The share of the keys looked at that belong to another shard than that in which they lie.", "percentunit",
              [Query(f"sum by (task) (headrace_keys_misplaced_total{{{SHARD}}}) / sum by (task) (headrace_keys_looked_at_total{{{SHARD}}})",
                     "{{task}}")], (0.01, None)),
        Panel("Versions", "Versions that were saved.", "short",
              [Query(happened("headrace_versions_saved_total", SHARD, "task"), "{{task}}")], draw="bars"),
        Panel("Rollbacks", "Rollbacks, by a control record or as a reaction.", "short",
              [Query(happened("headrace_rollbacks_total", SHARD, "task"), "{{task}}")], (1, None), "bars"),
        Panel("Promotions", "Challengers that took the champion's place, by hand or by themselves.", "short",
              [Query(happened("headrace_promotions_total", SHARD, "task, how"), "{{task}} {{how}}")], (1, None), "bars"),
        Panel("Paused", "1 while a shard is paused, by an operator or by a breaker.", "short",
              [Query(f"max by (task, partition, by) (headrace_paused{{{SHARD}}})", "{{task}}/{{partition}} by {{by}}")], (1, None)),
        Panel("Versions kept", "Saved versions that can be gone back to.", "short",
              [Query(total("headrace_versions", SHARD, "task, partition"), "{{task}}/{{partition}}")]),
        Panel("Notifications", "Signals for the hook, by what became of them. Not by partition.", "short",
              [Query(happened("headrace_notifications_total", TASK, "task, outcome"), "{{task}} {{outcome}}")], draw="bars"),
    )),
    ("Health", (
        Panel("Stopped shards", "Shards that learn nothing until somebody acts. Not by partition.", "short",
              [Query(f'sum by (task) (headrace_shards{{{TASK}, state="stopped"}})', "{{task}}")], (None, 1), "stat"),
        Panel("Shards", "Shards that are known on each worker, by their state there. Not by partition.", "short",
              [Query(f"sum by (instance, state) (headrace_shards{{{TASK}}}) > 0", "{{instance}} {{state}}")]),
        Panel("Unsaved messages", "Messages folded since the last durable snapshot: a crash now would fold them again.", "short",
              [Query(total("headrace_unsaved_messages", SHARD, "task, partition"), "{{task}}/{{partition}}")]),
        Panel("Snapshot duration", "From the beginning of a snapshot until the broker has it. Not by partition.", "s",
              quantiles("headrace_snapshot_duration_seconds"), (1, 10)),
        Panel("Snapshots written", "Bytes of snapshots, compressed. Not by partition.", "Bps",
              [Query(rate("headrace_snapshot_written_bytes_total", TASK, "task"), "{{task}}")]),
        Panel("Failed snapshots", "Not by partition.", "short",
              [Query(happened("headrace_snapshots_failed_total", TASK, "task, instance"), "{{task}} {{instance}}")], (None, 1), "bars"),
        Panel("State", "The state of each shard, as of its last snapshot and before compression.", "bytes",
              [Query(total("headrace_state_bytes", SHARD, "task, partition"), "{{task}}/{{partition}}")]),
        Panel("Buffer", "Fetched messages that wait to be folded, by the limit at which no more are fetched. Of all tasks.", "percentunit",
              [Query("max by (instance) (headrace_buffer_bytes / headrace_buffer_limit_bytes)", "{{instance}}")], (0.5, 1)),
        Panel("Overflows", "Records that did not wait for their time or their batch because 10,000 waited already.", "short",
              [Query(happened("headrace_buffer_overflows_total", SHARD, "task, buffer"), "{{task}} {{buffer}}")], (1, None), "bars"),
        Panel("Rebalances", "Times that the consumer group has assigned partitions to a worker. Of all tasks.", "short",
              [Query("sum by (instance) (headrace_rebalances_total)", "{{instance}}")]),
        Panel("Gaps", "Messages that were not delivered and were read again. Not by partition.", "short",
              [Query(happened("headrace_gap_messages_total", TASK, "task, log"), "{{task}} {{log}}")], draw="bars"),
        Panel("Background tasks", "Failures of background tasks, which are started again. Of all tasks.", "short",
              [Query(happened("headrace_background_restarts_total", "", "instance, background"), "{{instance}} {{background}}")],
              (1, None), "bars"),
    )),
)  # fmt: skip
"""The rows of the dashboard, from above to below."""


def thresholds(limits: tuple[float | None, float | None]) -> dict[str, Any]:
    """Return the thresholds of a panel: green, from the first limit on orange, from the second on red."""
    steps: list[dict[str, Any]] = [{"color": OK, "value": None}]
    steps += [
        {"color": color, "value": limit} for color, limit in zip((WARN, BAD), limits, strict=True) if limit is not None
    ]
    return {"mode": "absolute", "steps": steps}


def drawn(panel: Panel) -> dict[str, Any]:
    """Return how a panel is drawn: its type, its options, and the defaults of its fields."""
    has_limits = panel.limits != (None, None)
    field: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "color": {"mode": "palette-classic"},
        "thresholds": thresholds(panel.limits),
    }
    if panel.draw == "stat":
        options: dict[str, Any] = {
            "colorMode": "background",
            "graphMode": "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "auto",
        }
        return {
            "type": "stat",
            "options": options,
            "fieldConfig": {"defaults": field | {"color": {"mode": "thresholds"}}, "overrides": []},
        }
    bars = panel.draw == "bars"
    custom = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 60 if bars else 8,
        "lineWidth": 1,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if bars else "none"},
        "thresholdsStyle": {"mode": "line" if has_limits and not bars else "off"},
    }
    options = {
        "legend": {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return {
        "type": "timeseries",
        "options": options,
        "fieldConfig": {"defaults": field | {"custom": custom}, "overrides": []},
    }


def targets(queries: Sequence[Query]) -> list[dict[str, Any]]:
    """Return the queries as the targets of a panel."""
    return [
        {
            "datasource": SOURCE,
            "editorMode": "code",
            "expr": query.expr,
            "legendFormat": query.legend,
            "range": True,
            "refId": chr(ord("A") + number),
        }
        for number, query in enumerate(queries)
    ]


def panels() -> Iterator[dict[str, Any]]:
    """Yield the panels of all rows, each row behind its heading."""
    top = 0
    for number, (title, row) in enumerate(ROWS, 1):
        yield {
            "collapsed": False,
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": top},
            "id": 100 * number,
            "panels": [],
            "title": title,
            "type": "row",
        }
        top += 1
        for place, panel in enumerate(row):
            line, column = divmod(place, COLUMNS // WIDTH)
            yield {
                "datasource": SOURCE,
                "description": panel.meaning,
                "gridPos": {"h": HEIGHT, "w": WIDTH, "x": column * WIDTH, "y": top + line * HEIGHT},
                "id": 100 * number + place + 1,
                "targets": targets(panel.queries),
                "title": panel.title,
            } | drawn(panel)
        top += HEIGHT * -(-len(row) * WIDTH // COLUMNS)


def chosen(name: str, label: str, query: str) -> dict[str, Any]:
    """Return a variable whose values are those of a label."""
    return {
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "datasource": SOURCE,
        "includeAll": True,
        "label": label,
        "multi": True,
        "name": name,
        "query": {"qryType": 1, "query": query, "refId": f"variable-{name}"},
        "refresh": 2,
        "sort": 3 if name == "partition" else 1,
        "type": "query",
    }


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    source = {
        "current": {"selected": True, "text": "Prometheus", "value": "prometheus"},
        "hide": 0,
        "includeAll": False,
        "label": "Data source",
        "multi": False,
        "name": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "type": "datasource",
    }
    return {
        "annotations": {"list": []},
        "description": "Workers of Headrace: what they learn and answer, what it is worth, and how they are.",
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "links": [],
        "panels": list(panels()),
        "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION,
        "tags": ["headrace"],
        "templating": {
            "list": [
                source,
                chosen("task", "Task", "label_values(headrace_shards, task)"),
                chosen("partition", "Partition", f"label_values(headrace_position_offset{{{TASK}}}, partition)"),
            ]
        },
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "title": "Headrace",
        "uid": "headrace",
        "version": 1,
    }


def printed() -> str:
    """Return the dashboard as its file has it: sorted keys, and a line for each value."""
    return json.dumps(dashboard(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    PRINTED.write_text(printed())

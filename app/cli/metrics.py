"""`headrace metrics`: how the metrics of a task have gone over time."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

import click
from rich.table import Table

from headrace.app.cli.client import ask
from headrace.app.cli.options import as_json, asking, task_of
from headrace.app.cli.places import seconds_of
from headrace.app.cli.screen import Screen
from headrace.app.cli.terminal import say, say_json
from headrace.app.settings import Settings
from headrace.learning.metrics import MAIN
from headrace.learning.task import Json

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 20
"""The most bars of a line: each stands for the mean of as many points."""


@click.command()
@asking
@click.argument("task")
@click.option("--since", metavar="TIME", help="The earliest log time: ISO 8601, or seconds since the epoch.")
@click.option("--arm", metavar="NAME", help="Only this arm.")
@click.option("--metric", metavar="NAME", help="Only this metric. [default: the main one of the task's kind]")
@as_json
def metrics(
    settings: Settings, task: str, since: str | None, arm: str | None, metric: str | None, *, as_json: bool
) -> None:
    """Show how a metric of TASK has gone over time, for each shard and arm: a line of bars of the last 1,000 predictions at each point.

    With --json and without --metric, all metrics are printed.
    """
    wanted = task_of(settings, task)
    shown = metric or MAIN[wanted.kind]
    query = {
        "since": None if since is None else repr(seconds_of(since)),
        "arm": arm,
        "metric": metric if as_json else shown,
    }
    given = urlencode({name: value for name, value in query.items() if value is not None})
    answer = ask(settings, "GET", f"/v1/{wanted.name}/metrics?{given}")
    if as_json:
        say_json(answer)
        return
    if not answer["points"]:
        earlier = [] if since is None else _all_points(settings, wanted.name, arm)
        say(_say_none(earlier, since, arm))
        return
    table = Table("shard", "arm", "from", shown, "last 1,000", "all")
    for row in describe(answer["points"], shown):
        table.add_row(*row)
    Screen().print(table)


def _all_points(settings: Settings, task: str, arm: str | None) -> Sequence[dict[str, Json]]:
    given = "" if arm is None else f"?{urlencode({'arm': arm})}"
    points: Sequence[dict[str, Json]] = ask(settings, "GET", f"/v1/{task}/metrics{given}")["points"]
    return points


def _say_none(earlier: Sequence[dict[str, Json]], since: str | None, arm: str | None) -> str:
    """Say why there is nothing to show.

    Examples
    --------
    >>> _say_none([{"time": 60.0}], "2999-01-01", None)
    'There is no point since 2999-01-01. The last one is of 1970-01-01 00:01:00 UTC.'
    """
    of_arm = "" if arm is None else f" of the arm {arm}"
    if earlier:
        last = datetime.fromtimestamp(max(point["time"] for point in earlier), UTC)
        return f"There is no point{of_arm} since {since}. The last one is of {last:%Y-%m-%d %H:%M:%S} UTC."
    return f"There is no point{of_arm} yet: the first one comes after 100 labels."


def describe(points: Sequence[dict[str, Json]], metric: str) -> Iterator[list[str]]:
    """Yield the cells of each shard and arm.

    Examples
    --------
    >>> arms = [{"champion": {"metrics": {"mae": mae / 2}, "window": {"mae": mae}}} for mae in (4.0, 2.0)]
    >>> points = [{"partition": 0, "time": 60.0 * at, "arms": arm} for at, arm in enumerate(arms)]
    >>> list(describe(points, "mae"))
    [['0', 'champion', '01-01 00:00', '█▁', '2', '1']]
    """
    lines: dict[tuple[int, str], list[dict[str, Json]]] = {}
    for point in points:
        for arm in point["arms"]:
            lines.setdefault((point["partition"], arm), []).append(point)
    for (partition, arm), line in lines.items():
        recent = [one for point in line if (one := point["arms"][arm]["window"].get(metric)) is not None]
        last = line[-1]["arms"][arm]
        figures = last["window"].get(metric), last["metrics"].get(metric)
        begun = f"{datetime.fromtimestamp(line[0]['time'], UTC):%m-%d %H:%M}"
        yield [str(partition), arm, begun, bars(recent), *("" if one is None else f"{one:.4g}" for one in figures)]


def bars(values: Sequence[float]) -> str:
    """Draw a line of bars, from the lowest to the highest value; of many values, each bar is the mean of some.

    Examples
    --------
    >>> bars([0.5, 0.75, 1.0]), bars([2.0, 2.0]), len(bars(range(1000)))
    ('▁▅█', '▁▁', 20)
    """
    count = min(len(values), WIDTH)
    parts = [values[at * len(values) // count : (at + 1) * len(values) // count] for at in range(count)]
    means = [sum(part) / len(part) for part in parts]
    if not means:
        return ""
    lowest, span = min(means), max(means) - min(means)
    return "".join(BARS[round((mean - lowest) / span * (len(BARS) - 1)) if span else 0] for mean in means)

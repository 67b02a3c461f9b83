"""`headrace bench`: runs a load against a worker, and prints how many requests it answers and how fast."""

import asyncio
import sys
from itertools import islice

import click
import msgspec
import uvloop
from rich.table import Table

from headrace.app.cli.client import AnswerError, ask
from headrace.app.cli.options import as_json, asking, task_of
from headrace.app.cli.screen import Screen
from headrace.app.cli.terminal import say, say_json
from headrace.app.files.sources import open_source
from headrace.app.load.load import Load, Measured
from headrace.app.load.requests import Kind, Requests, Row, generated_rows
from headrace.app.settings import Settings
from headrace.app.unreached import say_unreached
from headrace.learning.task import Json, Task

PERCENTILES = (50, 95, 99, 99.9)

FILE_ROWS = 10_000
"""The most rows that are read of a file. They are sent in turn."""

LATE_SECONDS = 0.005
"""If one request in a hundred is sent later than this by the generator itself, the latencies are its own, and not the worker's."""

BACKLOG_PART = 0.02
"""If a larger part of all requests waits at the end, and more than there are connections, latencies grow for as long as the load runs."""


@click.command()
@asking
@click.argument("task")
@click.option(
    "--kind",
    type=click.Choice(["predict", "samples", "labels"]),
    default="predict",
    show_default=True,
    help="Questions; samples; or logged questions whose labels follow.",
)
@click.option("--rate", type=click.FloatRange(0, min_open=True), metavar="R", help="Requests a second: an open loop.")
@click.option(
    "--connections", type=click.IntRange(1, 10_000), default=16, show_default=True, help="The number of connections."
)
@click.option(
    "--seconds", type=click.FloatRange(0.1, 86_400), default=10.0, show_default=True, help="How long it is measured."
)
@click.option(
    "--warm-up", type=click.FloatRange(0), default=2.0, show_default=True, help="Seconds before, which are left out."
)
@click.option(
    "--delay", type=click.FloatRange(0), default=1.0, show_default=True, help="Seconds from a question to its label."
)
@click.option("--rows", metavar="FILE", help="Rows to send, as for headrace send; otherwise they are generated.")
@click.option("--learn", is_flag=True, help="Let the rows be learned: samples and labels change the model of TASK.")
@as_json
def bench(
    *,
    settings: Settings,
    task: str,
    kind: Kind,
    rate: float | None,
    connections: int,
    seconds: float,
    warm_up: float,
    delay: float,
    rows: str | None,
    learn: bool,
    as_json: bool,
) -> None:
    """Run a load against the worker of the settings, and print requests a second and latencies.

        headrace bench phishing --rate 1000

    With --rate it is an open loop: requests are sent at that rate whatever the worker does, and a latency is counted from the time at which
    the request was due. Without it, each connection sends its next request when the last one is answered: that finds the most requests a
    second, and its latencies are those of a worker at its limit.

    Rows have the features that the task declares. The load takes a core of its own: from the same machine it takes that of the worker.
    The command shows HEADRACE_KEY, and a rate limit of that key holds. Its exit status is 1 if a request failed.
    """
    wanted = task_of(settings, task)
    if kind != "predict" and not learn:
        what = f"--kind {kind} is learned: it changes the model of {wanted.name} for good."
        raise click.UsageError(f"{what} Name a task made for it, and add --learn.")
    if kind == "labels" and wanted.kind == "anomaly":
        raise click.UsageError(f"'{wanted.name}' is a task of anomalies, whose questions have no labels.")
    chosen = generated_rows(wanted) if rows is None else read_rows(rows, wanted, is_labelled=kind != "predict")
    ask(settings, "GET", f"/v1/{wanted.name}")  # ends with a plain error if the address or the key is wrong
    access = settings.access()
    load = Load(
        settings.address,
        access.tls,
        iter(Requests(wanted, kind, chosen, settings.address, access)),
        rate=rate,
        connections=connections,
        warm_up=warm_up,
        seconds=seconds,
        delay=delay,
    )
    if not as_json:
        say(f"{describe(load, kind, len(chosen), rows)} against {settings.address}; latencies in ms:")
        if rows is None and wanted.features is None:
            say("The task declares no features: rows have four made-up numbers. --rows FILE sends yours.", fg="yellow")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(load.run())
    except OSError as error:
        what = f"the worker at {settings.address} cannot be reached: {say_unreached(error)}."
        raise AnswerError(what, "Look whether it runs.") from None
    warnings = list(find_limits(load))
    if as_json:
        figures = {name: figures_of(one, seconds) for name, one in load.measured.items()}
        say_json(
            {
                "task": wanted.name,
                "kind": kind,
                "loop": "closed" if rate is None else "open",
                "rate": rate,
                "connections": connections,
                "seconds": seconds,
                "warm_up_s": warm_up,
                "requests": figures,
                "late_p99_ms": None if rate is None else milliseconds(load.late.percentile(99)),
                "limits": warnings,
            }
        )
    else:
        show(load)
        say(*warnings, fg="yellow")
    if any(one.failed for one in load.measured.values()):
        sys.exit(1)


def read_rows(file: str, task: Task, *, is_labelled: bool) -> list[Row]:
    """Read the rows of a file; a usage error if one is wrong, or there are none."""
    rows = []
    for sample in islice(open_source([file], task).samples, FILE_ROWS):
        if sample.reason:
            raise click.UsageError(f"{file}, line {sample.line}: {sample.reason}")
        record = msgspec.json.decode(sample.value)
        if "features" in record and ("label" in record or not is_labelled or task.kind == "anomaly"):
            rows.append(Row(record["features"], record.get("label"), sample.key))
    if not rows:
        raise click.UsageError(f"{file} has no row with features{' and a label' * is_labelled}.")
    return rows


def describe(load: Load, kind: Kind, rows: int, file: str | None) -> str:
    """Describe the load in one line."""
    how = "as fast as answers come" if load.rate is None else f"at {load.rate:g} a second"
    of = f"{rows:,} {'generated rows' if file is None else f'rows of {file}'} in turn"
    return (
        f"{kind}, {how}, {load.connections} connections, {of}, {load.seconds:g} s after {load.warm_up:g} s of warm-up,"
    )


def milliseconds(seconds: float) -> float:
    """Convert seconds to milliseconds, rounded to microseconds."""
    return round(seconds * 1e3, 3)


def figures_of(measured: Measured, seconds: float) -> dict[str, Json]:
    """Return the figures of one sort of request, for `--json`. Latencies are in milliseconds."""
    latencies, failed = measured.latencies, measured.failed.total()
    percentiles = {f"p{percent:g}_ms": milliseconds(latencies.percentile(percent)) for percent in PERCENTILES}
    return {
        "count": latencies.count,
        "failed": failed,
        "failures": dict(measured.failed),
        "per_s": round((latencies.count - failed) / seconds, 1),
        **percentiles,
        "max_ms": milliseconds(latencies.max),
    }


def shown(seconds: float) -> str:
    """Write a latency in milliseconds with the digits that it deserves.

    Examples
    --------
    >>> [shown(seconds) for seconds in (0.0001234, 0.01234, 1.234)]
    ['0.12', '12.3', '1,234']
    """
    value = seconds * 1e3
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def show(load: Load) -> None:
    """Print the table, and why requests failed."""
    heads = [f"p{percent:g}" for percent in PERCENTILES]
    table = Table("request", "sent", "a second", "failed", *heads, "max", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, one in load.measured.items():
        good = one.latencies.count - one.failed.total()
        counts = [one.latencies.count, good / load.seconds, one.failed.total()]
        latencies = [*map(one.latencies.percentile, PERCENTILES), one.latencies.max]
        table.add_row(name, *(f"{count:,.0f}" for count in counts), *map(shown, latencies))
    Screen().print(table)
    for one in load.measured.values():
        for code, number in one.failed.most_common():
            say(f"{number:,} failed, {code}: {one.reasons[code]}", fg="red")


def find_limits(load: Load) -> list[str]:
    """List what these figures cannot say."""
    limits = []
    if load.rate is None:
        limits.append("A closed loop waits for slow answers: its latencies are no promise for a rate. Use --rate.")
        return limits
    late = load.late.percentile(99)
    if late > LATE_SECONDS:
        limits.append(f"One request in a hundred was sent {late * 1e3:.1f} ms late by this command: it lacks CPU time.")
    if load.backlog > BACKLOG_PART * load.rate * load.seconds + load.connections:
        what = f"{load.backlog:,} requests waited for a connection at the end"
        limits.append(f"{what}: the rate is more than the worker, this command, or so many connections can do.")
    return limits

"""`headrace drift`: what the detectors and guards of a task have noticed."""

from datetime import UTC, datetime

import click
from rich.table import Table

from headrace.app.cli.client import ask
from headrace.app.cli.options import as_json, asking, task_of
from headrace.app.cli.screen import Screen
from headrace.app.cli.terminal import say, say_json
from headrace.app.settings import Settings
from headrace.learning.task import Json


@click.command()
@asking
@click.argument("task")
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="How many signals to show.")
@as_json
def drift(settings: Settings, task: str, last: int, *, as_json: bool) -> None:
    """List what detectors and guards have noticed in TASK, oldest first. A signal that waits for `headrace react` is marked with *."""
    answer = ask(settings, "GET", f"/v1/{task_of(settings, task).name}/drift")
    if as_json:
        say_json(answer)
        return
    if not answer["signals"]:
        say("Nothing was noticed yet.")
        return
    console = Screen()
    table = Table("signal", "time", "detector", "watched", "before", "after", "action")
    for signal in answer["signals"][-last:]:
        table.add_row(*describe(signal))
    console.print(table)


def describe(signal: dict[str, Json]) -> list[str]:
    """The cells of a signal.

    Examples
    --------
    >>> signal = {"id": "ads/0/7/0/0", "waits": True, "time": 0.0, "kind": "drift", "detector": "adwin", "watched": "error"}
    >>> describe(signal | {"direction": "worse", "before": 0.1, "after": 0.25, "action": "recommended: reset"})
    ['ads/0/7/0/0 *', '1970-01-01 00:00:00', 'adwin', 'error, worse', '0.1', '0.25', 'recommended: reset']
    """
    detector = signal["detector"] if signal["kind"] == "drift" else f"{signal['detector']} ({signal['kind']})"
    return [
        signal["id"] + (" *" if signal["waits"] else ""),
        f"{datetime.fromtimestamp(signal['time'], UTC):%Y-%m-%d %H:%M:%S}",
        detector,
        f"{signal['watched']}, {signal['direction']}",
        f"{signal['before']:.4g}",
        f"{signal['after']:.4g}",
        signal["action"],
    ]

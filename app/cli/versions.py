"""`headrace versions`: the saved models of a task."""

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
@as_json
def versions(settings: Settings, task: str, *, as_json: bool) -> None:
    """List the saved models of TASK, oldest first. The one that a shard serves now, or has learned on from, is marked with *."""
    answer = ask(settings, "GET", f"/v1/{task_of(settings, task).name}/versions")
    if as_json:
        say_json(answer)
        return
    if not answer["versions"]:
        say("There is no version yet. Make one: headrace checkpoint, or let it learn.")
        return
    console = Screen()
    table = Table("version", "time", "updates", "error", "why", "from", "digest")
    for version in answer["versions"]:
        table.add_row(*describe(version))
    console.print(table)


def describe(version: dict[str, Json]) -> list[str]:
    """The cells of a version.

    Examples
    --------
    >>> version = {"id": "v50-0-49", "current": True, "pinned": False, "time": 0.0, "updates": 50, "error": 0.25}
    >>> describe(version | {"reason": "updates", "parent": None, "digest": "ab" * 32})
    ['v50-0-49 *', '1970-01-01 00:00:00', '50', '0.2500', 'updates', '', 'abababab']
    """
    mark = " *" if version["current"] else ""
    return [
        version["id"] + mark,
        f"{datetime.fromtimestamp(version['time'], UTC):%Y-%m-%d %H:%M:%S}",
        str(version["updates"]),
        "" if version["error"] is None else f"{version['error']:.4f}",
        version["reason"] + (", pinned" if version["pinned"] else ""),
        version["parent"] or "",
        version["digest"][:8],
    ]

"""`headrace status`: where the shards stand."""

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from app.cli.client import ask
from app.cli.options import as_json, task_of, with_settings
from app.settings import Settings


@click.command()
@with_settings
@click.argument("task", required=False)
@as_json
def status(settings: Settings, task: str | None, as_json: bool) -> None:
    """Show position, updates, digest and metrics of the worker's shards, of one task or of all."""
    names = [task_of(settings, task).name] if task else sorted(settings.tasks)
    told = [ask(settings.address, "GET", f"/v1/{name}") for name in names]
    if as_json:
        click.echo(json.dumps(told[0] if task else told, indent=2))
        return
    for answer in told:
        Console().print(as_table(answer))


def as_table(answer: dict[str, Any]) -> Table:
    """What `GET /v1/{task}` says, for people."""
    table = Table(title=f"{answer['task']} ({answer['kind']})", title_justify="left")
    for column in ("shard", "state", "position", "lag", "updates", "quarantined", "champion", "metrics", "digest"):
        table.add_column(column, justify="right" if column in ("position", "lag", "updates", "quarantined") else "left")
    for shard in answer["shards"]:
        if "position" not in shard:
            table.add_row(str(shard["partition"]), shard["state"], "", "", "", "", "", shard.get("error", ""), "")
            continue
        arm = shard["arms"]["champion"]
        figures = [f"{name} {value:.4f}" for name, value in arm["metrics"].items() if isinstance(value, float)]
        lag = "?" if shard["end"] is None else str(shard["end"] - shard["position"])
        counts = [str(shard["position"]), lag, str(shard["updates"]), str(shard["quarantined"])]
        metrics = shard.get("error") or "\n".join(figures)
        table.add_row(
            str(shard["partition"]), shard["state"], *counts, arm["model"], metrics, (shard["digest"] or "")[:12]
        )
    if not answer["shards"]:
        table.caption = "This worker owns no shard of the task."
    return table

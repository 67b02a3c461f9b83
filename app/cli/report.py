"""`headrace report`: the report of a run as one HTML file."""

from datetime import UTC, datetime
from pathlib import Path

import click

from headrace.app.cli.client import KEY_REMEDIES, AnswerError
from headrace.app.cli.options import asking, task_of
from headrace.app.cli.terminal import say
from headrace.app.client import Client, ClientError
from headrace.app.report.page import write_page
from headrace.app.report.run import collect
from headrace.app.settings import Settings


@click.command()
@asking
@click.argument("task")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; left out, TASK-report.html here. It replaces the one that is there.",
)
def report(settings: Settings, task: str, out: Path | None) -> None:
    """Write a report of TASK as the worker knows it now: figures, curves, signals, versions and refusals, in one HTML file to send on.

    The file has no script and fetches nothing. It shows no record; of refused records it has counts, if HEADRACE_KEY has the role admin.
    """
    name, access = task_of(settings, task).name, settings.access()
    target = out or Path(f"{name}-report.html")
    try:
        with Client(settings.address, key=access.key, tls=access.tls) as client:
            run = collect(client, name)
    except ClientError as error:
        raise AnswerError(error.what, KEY_REMEDIES.get(error.code, error.remedy)) from None
    try:
        target.write_text(write_page(run, datetime.now(UTC)), encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{target} cannot be written: {error.strerror}.") from None
    say(f"{target} has the report of {name}, {target.stat().st_size:,} bytes.")

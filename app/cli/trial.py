"""`headrace try-models`: the second process in which a worker tries its models. Nobody types it."""

import click

from headrace.app.other_process import SECOND, try_here


@click.command(SECOND, hidden=True)
def trial() -> None:
    """Read tasks from stdin and write to stdout what came of trying their models."""
    try_here()

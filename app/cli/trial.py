"""`headrace try-models`: the second process in which a worker tries its models. Nobody types it."""

import click

from headrace.app.trial import SECOND


@click.command(SECOND, hidden=True)
def trial() -> None:
    """Read tasks from stdin and write to stdout what came of trying their models."""
    from headrace.app.trial import try_in_second_process

    try_in_second_process()

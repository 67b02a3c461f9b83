"""`headrace try-models`: tries models in a second process. A worker starts it; users do not."""

import click

from headrace.app.other_process import SECOND, try_here


@click.command(SECOND, hidden=True)
def trial() -> None:
    """Read tasks from stdin, try their models, and write the results to stdout."""
    try_here()

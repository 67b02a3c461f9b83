"""`headrace try-models`: tries models in a second process. A worker starts it; users do not."""

import click

from headrace.app.other_process import TRY_COMMAND, try_models_from_stdin


@click.command(TRY_COMMAND, hidden=True)
def trial() -> None:
    """Read tasks from stdin, try their models, and write the results to stdout."""
    try_models_from_stdin()

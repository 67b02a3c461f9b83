"""`headrace worker`: runs a worker, which learns and serves predictions."""

import click

from headrace.app.cli.options import with_settings
from headrace.app.command import INSTANCE, fix_hash_seed
from headrace.app.settings import Settings


@click.command()
@with_settings
@click.option(
    "--instance",
    envvar=INSTANCE,
    metavar="NAME",
    help="A fixed name in the group: a restarted worker gets its shards back at once.",
)
@click.option(
    "--log-level",
    default="info",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The lowest level that is logged to stderr.",
)
def worker(settings: Settings, instance: str | None, log_level: str) -> None:
    """Learn from the event logs and answer over HTTP, until stopped by SIGTERM or Ctrl-C."""
    fix_hash_seed()
    from headrace.app.worker import run

    run(settings, instance, log_level)

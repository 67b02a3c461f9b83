"""`headrace worker`: learn and serve."""

import os
import sys

import click

from headrace.app.cli.options import with_settings
from headrace.app.settings import Settings


@click.command()
@with_settings
@click.option(
    "--instance", metavar="NAME", help="A fixed name in the group: a restarted worker has its shards back at once."
)
@click.option(
    "--log-level",
    default="info",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="What is logged to stderr.",
)
def worker(settings: Settings, instance: str | None, log_level: str) -> None:
    """Learn from the event logs and answer over HTTP, until stopped by SIGTERM or Ctrl-C."""
    fix_hash_seed()
    from headrace.app.worker import run

    run(settings, instance, log_level)


def fix_hash_seed() -> None:
    """Start this command again with PYTHONHASHSEED=0 unless it is set so: the fold must not depend on the order of a set."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 the same command again

"""`headrace worker`: runs a worker, which learns and serves predictions."""

import sys

import click

from headrace.app.cli.options import asking
from headrace.app.command import INSTANCE, fix_hash_seed
from headrace.app.place import Place
from headrace.app.settings import Settings, load

AUTO = "auto"
PROCESSES_MAX = 1024


class ProcessCount(click.ParamType):
    """A number of processes, or `auto`."""

    name = "count"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; a usage error if the value is neither."""
        if value == AUTO:
            from headrace.app.processes import available_cpus

            return available_cpus()
        return int(click.IntRange(1, PROCESSES_MAX).convert(value, param, ctx))


@click.command()
@asking
@click.option(
    "--instance",
    envvar=INSTANCE,
    metavar="NAME",
    help="A fixed name in the group: a restarted worker gets its shards back at once.",
)
@click.option(
    "--processes",
    type=ProcessCount(),
    metavar="N|auto",
    help="Run N processes behind one port, or one for each CPU that may be used.",
)
@click.option(
    "--log-level",
    default="info",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The lowest level that is logged to stderr.",
)
@click.option("--place", hidden=True, type=Place.parse)
def worker(
    *, settings: Settings, instance: str | None, processes: int | None, log_level: str, place: Place | None
) -> None:
    """Learn from the event logs and answer over HTTP, until stopped by SIGTERM or Ctrl-C.

    With --processes several processes share the port of the settings and divide the shards among them. Process 1 also has the port after
    it, process 2 the one after that, and so on; each has a folder of its own in the data folder. A process that dies is started again;
    one that dies again and again ends all. /readyz of the shared port tells whether all are ready.
    """
    fix_hash_seed()
    if processes is not None:
        from headrace.app.processes import run_processes

        sys.exit(run_processes(settings, processes, instance, log_level))
    from headrace.app.worker import run

    run(load(str(settings.path)), instance, log_level, place)

"""The command line: one file a command, loaded when it is called."""

import sys
from importlib import import_module
from typing import NamedTuple, cast

import click

from headrace.learning.errors import HeadraceError, SettingsError


class Row(NamedTuple):
    """Where a command is, and the line that `headrace --help` has for it; a command without such a line is not listed."""

    module: str
    summary: str


COMMANDS = {
    "demo": Row("demo", "Watch a model learn, be killed, come back equal, and answer all along."),
    "init": Row("init", "Write settings to begin with, from a CSV file or a template."),
    "broker": Row("broker", "Run the embedded broker, which keeps everything in memory."),
    "worker": Row("worker", "Learn from the event logs and answer over HTTP."),
    "send": Row("send", "Append samples from a file to a task's event log."),
    "predict": Row("predict", "Ask the model of a task what it predicts now."),
    "status": Row("status", "Show positions, updates, metrics and digests of the shards."),
    "doctor": Row("doctor", "Check settings and surroundings, and say what to do."),
    "key": Row("key", "Make an API key with a name and roles."),
    "try-models": Row("trial", ""),
}
"""The commands, by name. The name of a command's function is that of its module."""


class Commands(click.Group):
    """The group of all commands. It imports the module of a command when that command is called, so that `--version` and `--help` take no second."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click gives it
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 click gives it
        """The command of this name; None if there is none."""
        row = COMMANDS.get(cmd_name)
        return row and cast("click.Command", getattr(import_module(f"{__name__}.{row.module}"), row.module))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 click gives it
        """Write the list of `headrace --help` from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, row.summary) for name, row in COMMANDS.items() if row.summary])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headrace")
def headrace() -> None:
    """Online learning on Kafka streams: exact after any crash, served while it learns."""


def main() -> None:
    """Run a command. Exit status: 0 success, 1 failure, 2 wrong usage or settings."""
    try:
        # what a command's own exit carries comes back as a number
        status = headrace(prog_name="headrace", standalone_mode=False)
        sys.exit(status if type(status) is int else 0)
    except HeadraceError as error:
        click.secho(str(error), fg="red", err=True)
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)

"""The command line: one file for each command, which is imported when the command is called."""

import sys
from importlib import import_module
from typing import NamedTuple, cast

import click

from headrace.learning.errors import HeadraceError, SettingsError


class CommandRow(NamedTuple):
    """Names the module of a command, and its line in `headrace --help`; a command without such a line is not listed."""

    module: str
    summary: str


COMMANDS = {
    "demo": CommandRow("demo", "Watch a model learn, be killed, come back equal, and answer all along."),
    "init": CommandRow("init", "Write settings to begin with, from a CSV file or a template."),
    "broker": CommandRow("broker", "Run the embedded broker, which keeps everything in memory."),
    "worker": CommandRow("worker", "Learn from the event logs and answer over HTTP."),
    "send": CommandRow("send", "Append samples from a file to a task's event log."),
    "predict": CommandRow("predict", "Ask the model of a task what it predicts now."),
    "status": CommandRow("status", "Show positions, updates, metrics and digests of the shards."),
    "doctor": CommandRow("doctor", "Check settings and surroundings, and say what to do."),
    "key": CommandRow("key", "Make an API key with a name and roles."),
    "try-models": CommandRow("trial", ""),
}
"""The commands, by name. The function of a command has the name of its module."""


class Commands(click.Group):
    """The group of all commands. It imports the module of a command only when the command is called, so that `--version` and `--help` are quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click gives it
        """Return the names of all commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 click gives it
        """Import and return the command of this name; None if there is none."""
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
        # click returns the exit status of a command as a number
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

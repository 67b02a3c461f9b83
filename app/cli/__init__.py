"""The command line: one file for each command, which is imported when the command is called."""

import logging
import sys
from importlib import import_module
from typing import NamedTuple, cast

import click

from headrace.learning.errors import HeadraceError, SettingsError


class CommandRow(NamedTuple):
    """Where a command is, and the line that `headrace --help` has for it; a command without such a line is not listed.

    The function of the command has the name of the module, unless another one is given.
    """

    module: str
    summary: str
    function: str = ""


COMMANDS = {
    "demo": CommandRow("demo", "Watch a model learn, be killed, come back equal, and answer all along."),
    "init": CommandRow("init", "Look at a file, and write settings to begin with."),
    "broker": CommandRow("broker", "Run the embedded broker, which keeps everything in memory."),
    "worker": CommandRow("worker", "Learn from the event logs and answer over HTTP."),
    "send": CommandRow("send", "Append samples from a file to a task's event log."),
    "predict": CommandRow("predict", "Ask the model of a task what it predicts now."),
    "status": CommandRow("status", "Show positions, updates, metrics and digests of the shards."),
    "top": CommandRow("top", "Watch the shards of all tasks: lag, updates and answers a second, accuracy, signals."),
    "apply": CommandRow("apply", "Put the settings of a task in force, without a stop."),
    "tail": CommandRow("tail", "Show the last records, predictions, signals or refused records, and those that come."),
    "quarantine": CommandRow("quarantine", "Show why records were refused, and send mended ones again."),
    "metrics": CommandRow("metrics", "Show how the metrics of a task have gone over time."),
    "drift": CommandRow("drift", "List what detectors and guards have noticed."),
    "react": CommandRow("control", "Carry out what was recommended for a signal.", "react"),
    "report": CommandRow("report", "Write a report of a task as one HTML file, to send on."),
    "versions": CommandRow("versions", "List the saved models of a task."),
    "checkpoint": CommandRow("control", "Save the model of a task as a version now.", "checkpoint"),
    "pin": CommandRow("control", "Keep a version for good, or no longer.", "pin"),
    "rollback": CommandRow("control", "Go back to a saved model.", "rollback"),
    "promote": CommandRow("control", "Serve the challenger.", "promote"),
    "compare": CommandRow("experiments", "Tell which of two arms is better, as far as that is known.", "compare"),
    "traffic": CommandRow("experiments", "Have other arms answer a share of the questions.", "traffic"),
    "baseline": CommandRow("baseline", "Train a batch model on a file, to be compared with the champion."),
    "pause": CommandRow("control", "Learn nothing more until resumed; answers go on.", "pause"),
    "resume": CommandRow("control", "Go on to learn.", "resume"),
    "export": CommandRow("package", "Write a version to a file.", "export_version"),
    "import": CommandRow("package", "Install a version from a file.", "import_version"),
    "retrain": CommandRow("jobs", "Learn the log anew, or a part of it, and install that model.", "retrain"),
    "unlearn": CommandRow("jobs", "Take records out of the model as if it had never seen them.", "unlearn"),
    "migrate": CommandRow("jobs", "Make the same model anew, after another version of a library.", "migrate"),
    "warm-start": CommandRow(
        "warm_start", "Train a model on files or a range of the log, and install it.", "warm_start"
    ),
    "jobs": CommandRow("jobs", "Show the jobs of a task, or cancel one."),
    "replay": CommandRow("replay", "Rebuild the state at any position of the log."),
    "diff": CommandRow("replay", "Compare two positions or versions of a task.", "diff"),
    "explain": CommandRow("explain", "Tell the life of a prediction."),
    "doctor": CommandRow("doctor", "Check settings and surroundings, and say what to do."),
    "bench": CommandRow("bench", "Run a load against a worker, and tell how fast it answers."),
    "notify": CommandRow("notify", "Send a test message to where signals are sent."),
    "key": CommandRow("key", "Make an API key with a name and roles."),
    "try-models": CommandRow("trial", ""),
    "make-model": CommandRow("make_model", ""),
}
"""The commands, by name."""


class Commands(click.Group):
    """The group of all commands. It imports the module of a command only when the command is called, so that `--version` and `--help` are quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click gives it
        """Return the names of all commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 click gives it
        """Import and return the command of this name; None if there is none."""
        row = COMMANDS.get(cmd_name)
        if row is None:
            return None
        return cast("click.Command", getattr(import_module(f"{__name__}.{row.module}"), row.function or row.module))

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
    from headrace.app.cli.terminal import printable, say, terminal_width, wrapped

    # Without a handler Python prints the warnings of Kafka's client to stderr, in front of the error that says the same.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        # click returns the exit status of a command as a number
        status = headrace(prog_name="headrace", standalone_mode=False)
        sys.exit(status if type(status) is int else 0)
    except HeadraceError as error:
        say(str(error), fg="red", err=True)
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    except click.ClickException as error:
        # click writes "Error: " before it
        lines = ("Error: " + printable(error.message, keep="\n")).split("\n")
        error.message = (
            "\n".join(wrapped(line, terminal_width(err=True)) for line in lines)
            .removeprefix("Error:")
            .removeprefix(" ")
        )
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        say("Stopped.", err=True)
        sys.exit(130)

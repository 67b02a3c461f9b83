"""The command line: one file a command."""

import sys

import click

from headrace.app.cli.broker import broker
from headrace.app.cli.demo import demo
from headrace.app.cli.doctor import doctor
from headrace.app.cli.init import init
from headrace.app.cli.key import key
from headrace.app.cli.predict import predict
from headrace.app.cli.send import send
from headrace.app.cli.status import status
from headrace.app.cli.trial import trial
from headrace.app.cli.worker import worker
from headrace.learning.errors import HeadraceError, SettingsError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headrace")
def headrace() -> None:
    """Online learning on Kafka streams: exact after any crash, served while it learns."""


for command in (demo, init, broker, worker, send, predict, status, doctor, key, trial):
    headrace.add_command(command)


def main() -> None:
    """Run a command. Exit status: 0 success, 1 failure, 2 wrong usage or settings."""
    try:
        status = headrace(standalone_mode=False)  # what a command's own exit carries comes back as a number
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

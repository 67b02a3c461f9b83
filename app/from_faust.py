"""Starts a worker from Faust's own command line: `faust -A headrace.worker worker`."""

import argparse
import os
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn

import click
import faust
from faust.exceptions import AlreadyConfiguredWarning
from mode.utils.logging import level_name

from headrace.agents.learn import LearningApp
from headrace.app.command import INSTANCE, fix_hash_seed
from headrace.app.settings import Settings, load
from headrace.app.worker import run, wire
from headrace.learning.errors import HeadraceError, SettingsError

LEVELS = {"debug": "debug", "info": "info", "warn": "warning", "warning": "warning", "error": "error"}
"""The log level of `headrace worker` for each of Faust's. Faust's `critical` becomes `error`."""
FROM_SETTINGS = {
    "web_enabled": "--without-web",
    "web_bind": "--web-bind",
    "web_host": "--web-host",
    "web_port": "--web-port",
    "web_transport": "--web-transport",
}
"""The settings of Faust that `headrace.toml` decides, each with the option of `faust worker` that would change it."""

NO_DATADIR = "{conf.name}-data"
"""The value that Faust's command line writes into F_DATADIR if there is no `--datadir`."""


def listed_app() -> LearningApp:
    """Make the Faust app for Faust's command line to inspect, from the settings in HEADRACE_CONFIG or `headrace.toml`.

    `faust worker` does not run this app: it calls `headrace worker` in the same process, which makes its own app after it has tried the
    models and prepared the topics.

    Raises
    ------
    click.ClickException
        The settings are missing or wrong, or `--workdir` is a relative path.
    """
    check_workdir()
    try:
        settings = load(None)
        app = wire(settings, None).app
    except HeadraceError as error:
        raise click.ClickException(str(error)) from error
    # Faust warns that its command line sets options after they were read; `check_options` refuses those that differ.
    warnings.simplefilter("ignore", AlreadyConfiguredWarning)
    app.conf.Worker = worker_class(settings, {name: getattr(app.conf, name) for name in FROM_SETTINGS})
    return app


def check_workdir() -> None:
    """Refuse a relative `--workdir`. Faust changes into it before this module is imported, and again afterwards, when it is not found.

    Raises
    ------
    click.ClickException
        `--workdir` is a relative path; the text says what to write instead.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-W", "--workdir", default=os.environ.get("F_WORKDIR"))
    workdir = parser.parse_known_args(sys.argv[1:])[0].workdir
    if workdir and not Path(workdir).is_absolute():
        raise click.ClickException(
            f"Faust changes into --workdir twice, and finds no '{workdir}' there. Write the whole path."
        )


def worker_class(settings: Settings, configured: dict[str, object]) -> type[faust.Worker]:
    """Make the worker class that `faust worker` instantiates with its options, and executes."""

    class Worker(faust.Worker):
        """Runs a Headrace worker in place of Faust's. `--loglevel` has its effect; other options are refused or have no effect."""

        def __init__(self, *services: Any, **options: Any):
            fix_hash_seed()  # before Faust prints its banner, which a restarted process would print again
            super().__init__(*services, **options)

        def execute_from_commandline(self) -> NoReturn:
            try:
                check_options(self, settings, configured)
                run(
                    settings, os.environ.get(INSTANCE), LEVELS.get(level_name(self.loglevel or "warn").lower(), "error")
                )
            except HeadraceError as error:
                click.secho(str(error), fg="red", err=True)
                sys.exit(2 if isinstance(error, SettingsError) else 1)

    return Worker


def check_options(worker: faust.Worker, settings: Settings, configured: dict[str, object]) -> None:
    """Refuse options of Faust that would change a setting of `headrace.toml`.

    Raises
    ------
    SettingsError
        There are such options; the text names them and the settings to write instead.
    """
    options = [FROM_SETTINGS[name] for name, value in configured.items() if getattr(worker.app.conf, name) != value]
    datadir = os.environ.get("F_DATADIR", NO_DATADIR)
    options += ["--datadir"] * (datadir != NO_DATADIR and Path(datadir).absolute() != settings.datadir.absolute())
    options += ["--logfile"] * bool(worker.logfile)
    if options:
        remedy = f"Write it into {settings.path} ([worker] web, datadir); the log goes to stderr."
        raise SettingsError(f"Faust's {', '.join(options)} would change what the settings say.", remedy)

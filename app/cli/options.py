"""The options that several commands have."""

from collections.abc import Callable

import click

from headrace.app.settings import Settings, load
from headrace.learning.task import Task

OPTIONS = "__click_params__"
"""Where click keeps the options of a function that is no command yet."""

Command = Callable[..., object]


def with_settings(command: Command) -> Command:
    """Add the option `--config` to a command, and pass it the settings as `settings`; all models of the settings were made once."""
    return _with_settings(command, check_models=True)


def asking(command: Command) -> Command:
    """Do the same for a command that only asks a worker or the broker: it starts sooner, since it makes no model."""
    return _with_settings(command, check_models=False)


def _with_settings(command: Command, *, check_models: bool) -> Command:
    @click.option("--config", metavar="FILE", help="Settings; otherwise HEADRACE_CONFIG or headrace.toml.")
    @click.pass_context
    def wrapped(context: click.Context, /, config: str | None, **options: object) -> object:
        return context.invoke(command, settings=load(config, check_models=check_models), **options)

    wrapped.__doc__ = command.__doc__
    wrapped.__name__ = command.__name__
    given = [*getattr(wrapped, OPTIONS), *getattr(command, OPTIONS, [])]
    setattr(wrapped, OPTIONS, given)
    return wrapped


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def task_of(settings: Settings, name: str) -> Task:
    """Return the task of this name; a usage error, which lists the tasks, if there is none."""
    if name not in settings.tasks:
        known = ", ".join(sorted(settings.tasks))
        raise click.UsageError(f"there is no task '{name}' in {settings.path}. Tasks: {known}.")
    return settings.tasks[name]

"""Options that several commands take."""

from collections.abc import Callable
from typing import Any

import click

from headrace.app.settings import Settings, load

Command = Callable[..., Any]


def with_settings(command: Command) -> Command:
    """Add `--config` and hand the command its settings."""

    @click.option("--config", metavar="FILE", help="Settings; otherwise HEADRACE_CONFIG or headrace.toml.")
    @click.pass_context
    def wrapped(context: click.Context, /, config: str | None, **options: Any) -> Any:
        return context.invoke(command, settings=load(config), **options)

    wrapped.__doc__ = command.__doc__
    wrapped.__name__ = command.__name__
    wrapped.__click_params__ = wrapped.__click_params__ + getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    return wrapped


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def task_of(settings: Settings, name: str) -> Any:
    """The task of this name; a usage error that names those there are."""
    if name not in settings.tasks:
        known = ", ".join(sorted(settings.tasks))
        raise click.UsageError(f"there is no task '{name}' in {settings.path}. Tasks: {known}.")
    return settings.tasks[name]

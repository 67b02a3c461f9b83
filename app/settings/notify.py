"""The table `notify` of the settings: where signals are sent, and which."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from headrace.app.settings.section import wrong_value

SignalName = Literal["alert", "drift", "reacted", "acted", "saved"]


class Notify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `notify`: sends signals of the tasks to a URL or to a command. Give one of the two.

    Parameters
    ----------
    url
        Where each signal is posted as JSON: `http://` or `https://`. Left out: `HEADRACE_NOTIFY_URL`. The URL may contain a secret, so it is
        never shown. `HEADRACE_NOTIFY_TOKEN`, if it is set, is sent as `Authorization: Bearer TOKEN`.
    command
        The program and its arguments, which gets each signal as JSON on its standard input. It runs beside the settings, without a shell.
    kinds
        The kinds of signals: what `effect` may be in `<task>.signals`.
    tasks
        The names of the tasks. Left out: all.
    timeout
        How many seconds an answer or the command may take.
    """

    url: str | None = None
    command: Annotated[list[str], msgspec.Meta(min_length=1)] | None = None
    kinds: Annotated[list[SignalName], msgspec.Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: ["alert", "drift", "reacted"]
    )
    tasks: list[str] | None = None
    timeout: Annotated[float, msgspec.Meta(gt=0, le=300)] = 5.0

    def wants(self, task: str) -> bool:
        """Say whether the signals of a task are sent."""
        return self.tasks is None or task in self.tasks

    def __repr__(self) -> str:
        return f"Notify({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        shown = [(name, getattr(self, name)) for name in ("command", "kinds", "tasks", "timeout")]
        return [("url", self.url and "..."), *shown]


def check_notify(path: Path, notify: Notify, tasks: Collection[str]) -> None:
    """Raise SettingsError if the table contradicts itself or the tasks."""
    if notify.command is not None and notify.url is not None:
        raise wrong_value(path, "notify", "has a url and a command", "Leave one of them out.")
    if notify.url is not None:
        check_url(path, "notify.url", notify.url)
    for number, name in enumerate(notify.tasks or ()):
        if name not in tasks:
            remedy = f"Tasks: {', '.join(sorted(tasks))}."
            raise wrong_value(path, f"notify.tasks[{number}]", f"names no task: '{name}'", remedy)


def url_of(path: Path, notify: Notify) -> str:
    """Return the URL, from the settings or from the environment; SettingsError if there is none."""
    if notify.url is not None:
        return notify.url
    url = os.environ.get("HEADRACE_NOTIFY_URL", "")
    if not url:
        remedy = "Give one of them, or set HEADRACE_NOTIFY_URL."
        raise wrong_value(path, "notify", "has neither a url nor a command", remedy)
    check_url(path, "HEADRACE_NOTIFY_URL", url)
    return url


def check_url(path: Path, where: str, url: str) -> None:
    """Raise SettingsError unless a URL is one of HTTP. The error does not show the URL: any part of a wrong one may be a secret."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits or any(character.isspace() for character in url):
        raise wrong_value(path, where, "is not http://HOST... or https://HOST...", "Write the whole URL of the hook.")

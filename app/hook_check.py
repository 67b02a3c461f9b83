"""Checks without sending anything whether a hook can take signals: its command can be run, or its host takes connections."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from headrace.app.settings import Settings
from headrace.app.settings.notify import url_of
from headrace.learning.errors import HeadraceError
from headrace.learning.fold.finding import Finding
from headrace.learning.plain import plain_failure

CONNECT_SECONDS = 3.0
"""How long the name of a host and the connection to it may take, together."""

TRY = "headrace notify --test sends a message."


def check_hook(settings: Settings) -> Iterator[Finding]:
    """Check the table `notify`, if there is one."""
    notify = settings.notify
    if notify is None:
        return
    if notify.command is not None:
        yield _check_command(notify.command[0], settings.folder)
        return
    try:
        url = urlsplit(url_of(settings.path, notify))
    except HeadraceError as error:
        yield Finding("notify", "fault", error.what, error.remedy)
        return
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    if (trouble := find_trouble(host, port, CONNECT_SECONDS)) is None:
        yield Finding("notify", "ok", f"{host}:{port} takes connections; {TRY}")
    else:
        what = f"{host}:{port} cannot be reached: {trouble}"
        yield Finding("notify", "fault", what, "Start it, or correct notify.url or HEADRACE_NOTIFY_URL.")


def _check_command(program: str, folder: Path) -> Finding:
    """Look for a program as the worker does: a path is taken from the folder of the settings, and a name is looked up in PATH."""
    if os.sep not in program:
        found = shutil.which(program)
        if found is not None:
            return Finding("notify", "ok", f"the command {found} can be run; {TRY}")
        what = f"the command {program} is not in PATH"
        return Finding("notify", "fault", what, "Install it, or write its path in notify.command.")
    path = folder / program
    if not path.is_file():
        return Finding("notify", "fault", f"there is no file {path}", "Correct notify.command.")
    if not os.access(path, os.X_OK):
        return Finding("notify", "fault", f"{path} may not be run", f"Make it executable: chmod +x {path}")
    return Finding("notify", "ok", f"the command {path} can be run; {TRY}")


def find_trouble(host: str, port: int, seconds: float) -> str | None:
    """Connect to a host; return why that fails, or None if it does not.

    A thread does it, because the look-up of a name has no timeout of its own.
    """
    results: list[str | None] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=seconds).close()
            results.append(None)
        except OSError as error:
            results.append(plain_failure(error))

    thread = Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    return results[0] if results else f"no answer within {seconds:g} s"

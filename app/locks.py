"""Locks the folder of a worker, and checks that its port is free, before the worker joins its group."""

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from headrace.learning.errors import SettingsError


def lock_folder(folder: Path) -> IO[str]:
    """Make the folder of the databases, and lock it until the returned file is closed. The system closes the file of a killed process.

    Without the lock, the group would assign shards to a second worker, which would wait for ever for databases that the first one has open.

    Raises
    ------
    SettingsError
        Another process has locked the folder, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        locked = (folder / "worker.pid").open("a+", encoding="ascii")
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written: {error.strerror}.", "Set worker.datadir.") from None
    try:
        fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        locked.seek(0)
        what = f"{folder} is used by another worker, process {locked.read().strip() or 'unknown'}."
        locked.close()
        raise SettingsError(what, "Stop that one, or give this one a folder of its own: worker.datadir.") from None
    locked.truncate(0)
    locked.write(str(os.getpid()))
    locked.flush()
    return locked


def check_port(host: str, port: int) -> None:
    """Raise SettingsError if the worker cannot listen on this port now. Faust would find out later, and fail with a traceback."""
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        what = f"cannot listen on {host}:{port}: {error.strerror}."
        raise SettingsError(what, "Stop what listens there, or set worker.web.") from None

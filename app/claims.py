"""Claims the folder and the port of a worker, which only one worker at a time can use."""

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from headrace.learning.errors import SettingsError


def claim_folder(folder: Path) -> IO[str]:
    """Make the folder of the databases, and claim it until the returned file is closed. The system closes the file of a killed process.

    Without the claim, the group would assign shards to a second worker, which would wait for ever for databases that the first one has open.

    Raises
    ------
    SettingsError
        Another process has claimed the folder, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        claimed = (folder / "worker.pid").open("a+", encoding="ascii")
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written: {error.strerror}.", "Set worker.datadir.") from None
    try:
        fcntl.flock(claimed, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        claimed.seek(0)
        what = f"{folder} is used by another worker, process {claimed.read().strip() or 'unknown'}."
        claimed.close()
        raise SettingsError(what, "Stop that one, or give this one a folder of its own: worker.datadir.") from None
    claimed.truncate(0)
    claimed.write(str(os.getpid()))
    claimed.flush()
    return claimed


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

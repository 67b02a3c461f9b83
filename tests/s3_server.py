"""moto's server, which speaks S3, for tests of the mirror; it can be paused."""

import contextlib
import os
import shutil
import signal
import subprocess
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import free_port, wait_for


class S3Server:
    """One server on loopback that keeps everything in memory."""

    def __init__(self, program: str, folder: Path):
        self.program, self.folder, self.port = program, folder, free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "S3Server":
        """Start it and wait until it answers."""
        with (self.folder / "moto.log").open("wb") as log:
            command = [self.program, "-H", "127.0.0.1", "-p", str(self.port)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        wait_for(self.answers, 60, "moto's server answers")
        return self

    def answers(self) -> bool:
        """Whether it answers."""
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "moto.log").read_text()
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.address}/moto-api/data.json", timeout=1):
            return True
        return False

    def make_bucket(self, name: str) -> None:
        """Make a bucket."""
        asked = urllib.request.Request(f"{self.address}/{name}", method="PUT")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert answer.status == 200

    def signal(self, name: str) -> None:
        """SIGSTOP makes it silent, SIGCONT lets it go on."""
        assert self.process is not None
        os.killpg(self.process.pid, getattr(signal, name))

    def kill(self) -> None:
        """SIGKILL it; what it held is gone."""
        if self.process is not None:
            self.signal("SIGKILL")
            self.process.wait()


def find_program() -> str | None:
    """The program of moto's server: MOTO_SERVER names it, or `make .moto` has installed it, or it is on the path."""
    installed = Path(__file__).parents[1] / ".moto" / "bin" / "moto_server"
    return os.environ.get("MOTO_SERVER") or (str(installed) if installed.exists() else shutil.which("moto_server"))


@contextlib.contextmanager
def serving_s3(folder: Path) -> Iterator[S3Server]:
    """A server, gone afterwards; the test is skipped where moto or obstore is not installed."""
    pytest.importorskip("obstore")
    program = find_program()
    if program is None:
        pytest.skip("moto_server is not installed: make .moto, or set MOTO_SERVER")
    server = S3Server(program, folder)
    try:
        yield server.start()
    finally:
        server.kill()


def lead_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the environment say where S3 is."""
    for name, value in {
        "AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "secret",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)


def new_bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a bucket, and have the environment lead to it: its name."""
    lead_to(server.address, monkeypatch)
    name = f"models-{uuid.uuid4().hex[:12]}"
    server.make_bucket(name)
    return name

"""A real redis-server for tests, which can be killed, paused and fed with garbage."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from harness import free_port

NEEDED = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="redis-server is not installed: apt-get install redis-server"
)


class RedisServer:
    """One server on loopback that keeps nothing on disk unless told to `save`."""

    def __init__(self, folder: Path, password: str = ""):
        self.folder, self.port, self.password = folder, free_port(), password
        folder.mkdir(parents=True, exist_ok=True)
        user = f":{password}@" if password else ""
        self.url = f"redis://{user}127.0.0.1:{self.port}/0"
        self.client = redis.Redis.from_url(self.url)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "RedisServer":
        """Start it and wait until it answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        secret = ["--requirepass", self.password] if self.password else []
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen([*command, "--save", "", *secret], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(redis.ConnectionError):
                self.client.ping()
                return self
            assert time.monotonic() < deadline, (self.folder / "redis.log").read_text()
            time.sleep(0.02)

    def signal(self, name: str) -> None:
        """SIGSTOP makes it slow, SIGCONT quick again."""
        assert self.process is not None
        os.kill(self.process.pid, getattr(signal, name))

    def kill(self) -> None:
        """SIGKILL; what it had in memory is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def running_redis(folder: Path, password: str = "") -> Iterator[RedisServer]:
    """A server that is there, and gone afterwards."""
    server = RedisServer(folder, password)
    try:
        yield server.start()
    finally:
        server.kill()
        server.client.close()

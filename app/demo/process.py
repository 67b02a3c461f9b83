"""A worker of the demo: a process that is started, killed and started again."""

import os
import subprocess
import time
from contextlib import suppress

import aiohttp

from headrace.app.command import HEADRACE
from headrace.app.settings import Settings
from headrace.learning.errors import HeadraceError
from headrace.learning.task import Json


class Worker:
    """Runs the process of one worker, which can be killed and started again.

    Parameters
    ----------
    settings
        The settings of the worker, with one task. The log of the worker is written to their folder.
    name
        Names the worker in messages.
    options
        The options of `headrace worker`.
    """

    def __init__(self, settings: Settings, name: str, options: list[str]):
        self.settings, self.name = settings, name
        self.command = [*HEADRACE, "worker", *options, "--config", str(settings.path)]
        (self.task,) = settings.tasks.values()
        self.log = settings.path.parent / "worker.log"
        self.started = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Return the id of the process that was started last; None before the first start."""
        return None if self.process is None else self.process.pid

    def start(self) -> None:
        """Start the process, which answers some seconds later."""
        self.started = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 this very program
                self.command, stdout=log, stderr=log, env=os.environ | {"PYTHONHASHSEED": "0"}
            )

    def kill(self) -> None:
        """Kill the process with SIGKILL, so that it cannot save anything."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the process with SIGTERM, if it runs."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    async def is_ready(self, http: aiohttp.ClientSession) -> bool:
        """Say whether the worker can answer and learn.

        Raises
        ------
        HeadraceError
            The process has ended by itself.
        """
        if self.process is not None and self.process.poll() is not None:
            lines = self.log.read_text(errors="replace").splitlines() or ["it has logged nothing."]
            raise HeadraceError(f"worker {self.name} has ended: {lines[-1]}", "Run: headrace doctor.")
        with suppress(aiohttp.ClientError, OSError):
            async with http.get(f"{self.settings.address}/readyz") as answer:
                return answer.status == 200
        return False

    async def describe(self, http: aiohttp.ClientSession) -> dict[str, Json] | None:
        """Return the status of the one shard; None if the worker does not answer, or does not know the shard yet."""
        with suppress(aiohttp.ClientError, OSError):
            async with http.get(f"{self.settings.address}/v1/{self.task.name}") as answer:
                shards: list[dict[str, Json]] = (await answer.json()).get("shards", [])
                return shards[0] if shards else None
        return None

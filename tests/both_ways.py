"""Two workers in one process that differ in nothing but the lane: what one answers, the other should answer to the byte.

A worker here has no broker, no socket and no clock: models with what they have learned, records that are appended to a list, connections
that are fed pieces of bytes and note what is written, and random ids that are the same in both workers.
"""

import asyncio
import contextlib
import hashlib
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp.helpers
import msgspec
import pytest

import headrace.app.doors
import headrace.app.refusals
import headrace.app.request_id
import headrace.app.serving.serving
from headrace.app.answers import At
from headrace.app.connections import Connection, Web
from headrace.app.serving.refused import RequestRefused
from headrace.app.settings import parse
from headrace.app.worker import wire
from headrace.learning.fold.learner import Learner
from headrace.tables.features import FeatureStore

KEYS = {"asker": "predict", "sender": "feedback", "boss": "admin", "slow": "predict"}
"""The name, which is the key too, and the role of each key."""

RATE = 5.0
"""The requests a second of the key `slow`."""

BODY_LIMIT = 20_000

TASKS: dict[str, Any] = {
    "ads": {"kind": "binary", "model": "logistic"},
    "shop": {
        "kind": "multiclass",
        "model": "naive_bayes",
        "partitions": 2,
        "labels": ["a", "b", "\u00fc"],
        "features": {"x": {"type": "float", "min": 0, "max": 100}, "y": {"type": "string", "optional": True}},
    },
    "stored": {"kind": "regression", "model": "linear", "stored": {"clicks": {"default": 0}}},
    "cold": {"kind": "anomaly"},
    "shut": {"kind": "binary"},
}
"""The tasks. `shut` has no model here."""

TURNS = 100
"""The turns of the event loop after which a worker that has not answered waits for something else, such as a thread that unpacks a body."""

REST_SECONDS = 10.0
"""How long a worker may take to answer."""

TODAY = SimpleNamespace(**(vars(time) | {"time": lambda: 1_767_225_600.0}))
"""A clock that stands, for the dates of responses."""


class Clock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Store(FeatureStore):
    """Stored features that are there at once."""

    is_immediate, is_current = True, True

    async def look_up(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        return [{"clicks": len(key)} if key.startswith("u") else {} for key in keys]


class Owners:
    """No other worker is known."""

    async def ask(self, task: Any, *_: object) -> Any:
        raise RequestRefused("unavailable", "no_owner", f"no shard of '{task.name}' is here.", "Wait.", retry=True)

    async def stop(self) -> None:
        pass


class Appender:
    """Notes what would be appended."""

    appended = failed = refused = 0

    def __init__(self) -> None:
        self.rows: list[Any] = []

    async def append(self, task: Any, rows: list[Any]) -> list[At]:
        await asyncio.sleep(0)
        return [At(0, self._note(task, key, record)) for key, record in rows]

    def append_later(self, task: Any, key: str | None, record: bytes, sent: Any) -> bool:
        sent(self._note(task, key, record))
        return True

    async def stop(self) -> None:
        pass

    def _note(self, task: Any, key: str | None, record: bytes) -> int:
        self.rows.append((task.name, key, record))
        return len(self.rows)


class Transport(asyncio.Transport):
    """Notes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.is_shut, self.is_paused = bytearray(), False, False

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, parts: Any) -> None:
        self.written += b"".join(parts)

    def is_closing(self) -> bool:
        return self.is_shut

    def close(self) -> None:
        self.is_shut = True

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


class Link:
    """A connection to a worker."""

    def __init__(self, connection: Connection):
        self.connection, self.transport = connection, Transport()
        connection.connection_made(self.transport)

    async def send(self, *pieces: bytes) -> None:
        """Feed pieces, and let the worker go on after each until it waits."""
        for piece in pieces:
            if self.transport.is_shut:
                return
            self.connection.data_received(piece)
            await self.rest()

    async def rest(self) -> None:
        """Let the worker go on until it waits for more bytes, or has closed the connection."""
        for turn in range(TURNS + round(REST_SECONDS * 1000)):
            if self._rests():
                return
            await asyncio.sleep(0 if turn < TURNS else 0.001)
        raise AssertionError(
            f"the worker does not come to rest: {self.connection._messages}, {self.connection._current_request}"
        )

    def _rests(self) -> bool:
        connection = self.connection
        if self.transport.is_shut or getattr(connection, "_held", None) is not None:
            return True
        request = connection._current_request
        bodies = [connection._body, *([] if request is None else [request._payload])]
        if any(getattr(body, "_waiter", None) is not None for body in bodies):
            return True  # a view waits for the body, or aiohttp to leave it out
        waiter = connection._waiter
        return waiter is not None and not waiter.done() and not connection._messages

    def take(self) -> tuple[bytes, bool]:
        """Return what was written since the last call, and whether the connection was closed."""
        written = bytes(self.transport.written)
        self.transport.written.clear()
        return written, self.transport.is_shut

    async def end(self) -> None:
        """Lose the connection. A request whose body has not come is given to the ordinary way first, as it would be after a moment."""
        if getattr(self.connection, "_held", None) is not None:
            self.connection._release()
            await self.rest()
        task = self.connection._task_handler
        self.connection.connection_lost(None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class Worker:
    """A worker without broker and sockets."""

    def __init__(self, folder: Path, patched: pytest.MonkeyPatch, *, has_lane: bool, has_keys: bool, clock: Clock):
        self.patched, self.has_lane, self.clock = patched, has_lane, clock
        self._new_id = map("{:016x}".format, itertools.count()).__next__
        folder.mkdir(parents=True, exist_ok=True)
        digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in KEYS}
        lines = [f"{name} {role} {digests[name]} {RATE if name == 'slow' else ''}" for name, role in KEYS.items()]
        (folder / "keys").write_text("\n".join(lines))
        settings: dict[str, Any] = {"body_limit": BODY_LIMIT, "body_seconds": 30, "datadir": str(folder / "data")}
        if has_keys:
            settings["keys_file"] = "keys"
        self.wiring = wire(parse({"worker": settings, "tasks": TASKS}, folder / "headrace.toml"), None)
        self.appender = self.wiring.serving.appender = Appender()
        self.wiring.serving.owners = Owners()
        for name, served in self.wiring.serving.tasks.items():
            if name != "shut":
                for partition in range(served.task.partitions):
                    served.shards.owned[partition] = self._model(served.task, partition)
            if served.enricher is not None:
                served.enricher.store = Store()

    @staticmethod
    def _model(task: Any, partition: int) -> Any:
        learner = Learner(task, partition)
        for number in range(0 if task.name == "cold" else 30):
            label = {"binary": number % 3 > 0, "multiclass": "ab\u00fc"[number % 3], "regression": number * 0.5}
            learner.champion.learn({"x": number % 7 / 3.0}, label[task.kind])
        return SimpleNamespace(
            partition=partition, learner=learner, status="live", position=7, staleness=0.0, waiting=None, error=None
        )

    async def start(self) -> "Worker":
        web = self.wiring.app.web
        assert isinstance(web, Web)
        assert web.cors
        self.runner = web._runner
        self.lane = self.runner.make.args[0]
        if not self.has_lane:
            self.runner.make = Connection
        await self.runner.setup()
        return self

    async def stop(self) -> None:
        await self.runner.cleanup()

    async def exchange(self, link: Link, *pieces: bytes) -> tuple[bytes, bool]:
        """Send pieces over a connection. Return what was written, and whether the connection was closed."""
        self.patched.setattr(headrace.app.request_id, "new_id", self._new_id)
        await link.send(*pieces)
        return link.take()

    async def end(self, link: Link) -> None:
        """End a connection."""
        self.patched.setattr(headrace.app.request_id, "new_id", self._new_id)
        await link.end()

    def connect(self) -> Link:
        """Open a connection."""
        return Link(self.runner.server())

    def counted(self) -> dict[str, Any]:
        """All that the worker has counted and kept."""
        found: dict[str, Any] = {"rows": self.appender.rows, "requests": self.runner.server.requests_count}
        for name, served in self.wiring.serving.tasks.items():
            telemetry = served.telemetry
            found[name] = {
                "predictions": telemetry.predictions,
                "refused": dict(telemetry.refused),
                "observed": sum(telemetry.inference_seconds.counts),
                "last": [answer for _, answer in served.last_answers],
                "under way": dict(served.under_way._offsets),
                "stored": None if served.enricher is None else msgspec.structs.asdict(served.enricher.counts),
            }
        return found


@contextlib.asynccontextmanager
async def both(folder: Path, *, has_keys: bool = True) -> Any:
    """Two workers, the one with a lane first."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(headrace.app.doors, "monotonic", clock)
        patched.setattr(headrace.app.refusals, "BURST", 10**9)
        patched.setattr(headrace.app.serving.serving, "WAIT_SECONDS", 0.001)
        patched.setattr(headrace.app.serving.serving.secrets, "token_hex", lambda size: "0" * size)
        patched.setattr(aiohttp.helpers, "time", TODAY)
        for name in ("HEADRACE_KEYS", "HEADRACE_GROUP_SECRET"):
            patched.delenv(name, raising=False)
        workers = [
            await Worker(folder / str(has_lane), patched, has_lane=has_lane, has_keys=has_keys, clock=clock).start()
            for has_lane in (True, False)
        ]
        try:
            yield workers
        finally:
            for worker in workers:
                await worker.stop()

"""What a process of Headrace has around it, in memory."""

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

from aiokafka.errors import KafkaConnectionError
from fakes.changelog import Changelog
from fakes.log import Log
from fakes.outlet import Outlet
from fakes.pace import QUICK

from headrace.agents.budget import Budget
from headrace.agents.telemetry import Telemetry
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.task import Task, define, fingerprint
from headrace.tables.pending import PendingTable
from headrace.tables.snapshots import Snapshots
from headrace.tables.table import Table
from headrace.tables.versions import VersionTable


class Death(BaseException):
    """The process is gone. No `except Exception` may catch it."""


class World:
    """What outlives a process: the log of a task, its changelogs, what was published and committed. The tables of a process are real.

    Parameters
    ----------
    task
        What is learned.
    messages
        The messages of the log, by partition.
    end
        Where the log ends at first; left out, after its last message.

    Attributes
    ----------
    published
        The ids of the effects that the broker has.
    committed
        The position that was committed last, by partition.
    fuse
        The steps until the process dies; None while it lives on. When it has died every further step raises `Death` too.
    flaky
        The share of steps at which the broker fails, as `dice` decide; without dice it never does.
    """

    log_type: type[Log] = Log
    """The class of the log, for a world that holds it to more."""

    def __init__(self, task: Task, messages: Sequence[list[KafkaMessage]], end: int | None = None):
        self.task = task
        self.log = self.log_type(messages, end, step=self.step)
        self.changelog = Changelog(step=self.step, witness=self.witness)
        self.segments = Changelog(step=self.step)
        self.models = Changelog(step=self.step)
        self.published: set[str] = set()
        self.committed: dict[int, int] = {}
        self.fuse: int | None = None
        self.dice: random.Random | None = None
        self.flaky = 0.0

    async def step(self) -> None:
        """One more step of the process; the broker may fail here, and the process may die."""
        await asyncio.sleep(0)
        if self.dice is not None and self.dice.random() < self.flaky:
            raise KafkaConnectionError
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse <= 0:
                raise Death

    def witness(self, key: bytes, value: bytes | None) -> None:
        """See an entry of the snapshots' changelog as it is taken."""

    async def commit(self, partition: int, position: int) -> None:
        """Commit a position to the group."""
        await self.step()
        self.committed[partition] = position

    def collaborators(self, folder: Path, writer: str, key: bytes | None = None, **others: object) -> SimpleNamespace:
        """What the shards of a process act upon, with tables in its folder; `others` take the place of what is named like them."""
        task = self.task
        pending = PendingTable(
            self.segments,
            folder / "pending",
            task=task.name,
            snapshot_key=key,
            writer=writer,
            fold=fingerprint(define(task)),
        )
        return SimpleNamespace(
            **{
                "task": task,
                "log": self.log,
                "outlet": Outlet(self.published, step=self.step),
                "follower": self.changelog.follower(),
                "snapshots": Snapshots(Table(self.changelog, folder / "snapshots"), writer),
                "pending": pending,
                "wall": time.time,
                "writer": writer,
                "key": key,
                "own_modules": (),
                "launch": None,
                "mirror": None,
                "versions": VersionTable(Table(self.models, folder / "versions")),
                "budget": Budget(share=1.0),
                "snapshot_records": 5,
                "snapshot_seconds": 0.01,
                "pace": QUICK,
                "commit": self.commit,
                "telemetry": Telemetry(),
            }
            | others
        )

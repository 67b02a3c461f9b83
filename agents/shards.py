"""The shards of one task on this worker: opened, watched and closed as the group assigns them."""

import asyncio
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Literal, NamedTuple

import structlog

from headrace.agents.background import Background
from headrace.agents.collaborators import Collaborators
from headrace.agents.replicas import Replica, Replicas
from headrace.agents.shard import Shard
from headrace.learning.errors import HeadraceError, SnapshotError
from headrace.learning.task import Task

log = structlog.get_logger()

WATCH_SECONDS = 0.2
"""How often a shard is looked at: whether a snapshot is due, and whether the log has what was not delivered."""

LAST_SAVE_SECONDS = 5.0
"""How long a shard that is taken away may take for its last snapshot; the log has it all without."""

STUCK_SECONDS = 1.0
"""How long a position may stand still, the log being ahead, before the messages are read from the log."""

RETRY_SECONDS = 0.5


Model = Shard | Replica
"""What answers: a learner with its position and its staleness."""


class Lack(NamedTuple):
    """Why a shard is not as it should be on this worker: a code for programs, and the cause for people, where it is known."""

    partition: int
    state: Literal["opening", "stopped"]
    code: str
    error: str | None


class Shards:
    """Holds the shards of a task that this worker owns, replicas of the others, and the last model of those that are gone.

    Parameters
    ----------
    task
        Whose shards.
    collaborators
        Their collaborators.

    Attributes
    ----------
    trouble
        Why the task as a whole is stopped on this worker; None if it is not.
    """

    def __init__(self, task: Task, collaborators: Collaborators):
        self.task = task
        self.collaborators = collaborators
        self.owned: dict[int, Shard] = {}
        self.last: dict[int, Shard] = {}
        self.replicas = Replicas(task, collaborators, self.owned)
        self.trouble: HeadraceError | None = None
        self.watches: dict[int, Background] = {}

    def assign(self, partitions: Iterable[int]) -> None:
        """Open these shards and no others, each in a task of its own: one that is fully read gets no event to open it."""
        self._close()
        for partition in sorted(partitions):
            self.owned[partition] = Shard(self.task, partition, self.collaborators)
            name = f"shard {partition} of {self.task.name}"
            self.watches[partition] = Background(name, partial(self._watch, partition)).start()

    async def stop_task(self, error: HeadraceError) -> None:
        """Stop all shards of the task, those that are still to come included: its topics cannot serve."""
        self.trouble = error
        for shard in list(self.owned.values()):
            await shard.stop(error)

    async def revoke(self) -> None:
        """Take a last snapshot of every shard, in limited time, and close them."""
        saves = [asyncio.create_task(shard.save()) for shard in self.owned.values() if shard.status == "live"]
        try:
            if saves:
                _, late = await asyncio.wait(saves, timeout=LAST_SAVE_SECONDS)
                for save in late:
                    save.cancel()
        finally:
            self._close()

    async def stop(self) -> None:
        """Follow no snapshots any more, and give all shards back."""
        await self.replicas.stop()
        await self.revoke()

    def answering(self, partition: int) -> Model | None:
        """The model to answer from: the furthest there is, so that no answer is of an earlier position than the one before.

        That is the live one, but for a moment after its opening. One that has been passed is let go.
        """
        best: Model | None = self.owned.get(partition)
        if best is not None and best.learner is None:
            best = None
        others: tuple[dict[int, Any], ...] = self.replicas.held, self.last
        for held in others:
            other = held.get(partition)
            if other is None or other.learner is None:
                continue
            if best is None or other.position > best.position:
                best = other
            else:
                del held[partition]
        return best

    def known(self) -> dict[int, Model]:
        """Every shard of which there is something here: the owned one, or else the model that is answered from."""
        held: dict[int, Model] = {**self.replicas.held, **self.last}
        return dict(sorted({**{at: self.answering(at) or model for at, model in held.items()}, **self.owned}.items()))

    def lacking(self) -> Iterator[Lack]:
        """Yield each shard that is stopped here, or cannot be opened, or has no model here to answer from yet.

        A shard that is being opened, while a replica or the last model answers, is not among them. A replica whose snapshot was refused
        counts as stopped: its owner answers, or has stopped.
        """
        for partition in range(self.task.partitions):
            owned = self.owned.get(partition)
            if self.trouble is not None:
                yield Lack(partition, "stopped", self.trouble.code, str(self.trouble))
            elif owned is not None and owned.status == "stopped":
                yield Lack(partition, "stopped", owned.code, owned.error)
            elif owned is not None and owned.status == "opening" and owned.error:
                yield Lack(partition, "opening", "opening", owned.error)
            elif self.answering(partition) is None:
                if owned is None and self.replicas.is_refused(partition):
                    yield Lack(partition, "stopped", SnapshotError.code, self.replicas.held[partition].error)
                else:
                    yield Lack(partition, "opening", "opening", None)

    def _close(self) -> None:
        for watch in self.watches.values():
            watch.cancel()
        self.watches.clear()
        for partition, shard in self.owned.items():
            self._let_go(partition, shard)
        self.owned.clear()

    def _let_go(self, partition: int, shard: Shard) -> None:
        """Close a shard; its model stays to answer from."""
        shard.close()
        last = self.last.get(partition)
        if shard.learner is not None and (last is None or last.position <= shard.position):
            self.last[partition] = shard

    async def _watch(self, partition: int) -> None:
        """Open a shard and look after it; when one of its databases fails, put another shard in its place, as often as it takes."""
        while True:
            shard = self.owned[partition]
            await self._open(shard)
            await self._look_after(shard)
            if not shard.failed or self.owned.get(partition) is not shard:
                return
            self._let_go(partition, shard)
            self.owned[partition] = Shard(self.task, partition, self.collaborators, before=shard)
            await asyncio.sleep(RETRY_SECONDS)

    async def _look_after(self, shard: Shard) -> None:
        patience = 0.0  # what came while it was being opened was passed by, and is read at once
        while shard.status == "live":
            try:
                await shard.catch_up(patience)
                await shard.save_if_due()
                await shard.tick_if_due()
                patience = STUCK_SECONDS
            except Exception as error:  # noqa: BLE001 the broker is away; the next round tries again
                log.warning(
                    "cannot look after a shard now", task=self.task.name, partition=shard.partition, error=repr(error)
                )
            await asyncio.sleep(WATCH_SECONDS)

    async def _open(self, shard: Shard) -> None:
        while shard.status == "opening" and not shard.failed:
            try:
                if self.trouble is not None:
                    await shard.stop(self.trouble)
                else:
                    await shard.open()
            except Exception as error:  # noqa: BLE001 the old owner's lock or the broker is not free yet
                shard.error = str(error) if isinstance(error, HeadraceError) else repr(error)
                log.info("cannot open a shard yet", task=self.task.name, partition=shard.partition, error=shard.error)
                shard.let_go()
                await asyncio.sleep(RETRY_SECONDS)
        log.info("shard", task=self.task.name, partition=shard.partition, status=shard.status, position=shard.position)

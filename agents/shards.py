"""Opens, watches and closes the shards of one task, as the group assigns and revokes them."""

import asyncio
from collections.abc import Iterator
from typing import Literal, NamedTuple

from headrace.agents.assigned import Assigned
from headrace.agents.collaborators import Collaborators
from headrace.agents.replicas import Replica, Replicas
from headrace.agents.shard import Shard
from headrace.learning.errors import HeadraceError, SnapshotError
from headrace.learning.fold.learner import Learner
from headrace.learning.task import Task

Model = Shard | Replica
"""A model that can answer: an owned shard or a replica, with its position and staleness."""


class Lack(NamedTuple):
    """Says why a shard is not ready on this worker: a code for programs, and an error text if the cause is known."""

    partition: int
    state: Literal["opening", "stopped"]
    code: str
    error: str | None


class Shards(Assigned[int, Shard]):
    """Holds the shards of a task that this worker owns, replicas of the others, and the last models of revoked shards.

    Parameters
    ----------
    task
        The task with the shards.
    collaborators
        The collaborators of the shards.

    Attributes
    ----------
    trouble
        Why the task as a whole is stopped on this worker; None if it is not.
    """

    def __init__(self, task: Task, collaborators: Collaborators):
        super().__init__(collaborators.pace, collaborators.pace.watch_shards)
        self.task = task
        self.collaborators = collaborators
        self.owned = self.parts
        self.last: dict[int, Shard] = {}
        self.replicas = Replicas(task, collaborators, self.owned)
        self.trouble: HeadraceError | None = None

    def make(self, place: int) -> Shard:
        """Return a new shard, which is not open yet."""
        return Shard(self.task, place, self.collaborators)

    def name(self, place: int) -> str:
        """Return the name of a shard's background task."""
        return f"shard {place} of {self.task.name}"

    async def stop_task(self, error: HeadraceError) -> None:
        """Stop all shards of the task, present and future, because its topics cannot be used."""
        self.trouble = error
        for shard in list(self.owned.values()):
            await shard.stop(error)

    async def stop(self) -> None:
        """Stop following snapshots, and give all shards back."""
        await self.replicas.stop()
        await self.revoke()

    def answering(self, partition: int) -> Model | None:
        """Return the furthest model of a shard, so that no answer comes from an earlier position than the answer before; None if there is none.

        The furthest model is that of the owned shard, except for a moment after its opening. A model that is no longer the furthest is dropped.
        """
        best: Model | None = self.owned.get(partition)
        if best is not None and best.learner is None:
            best = None
        others: tuple[dict[int, Replica] | dict[int, Shard], ...] = self.replicas.held, self.last
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
        """Return every shard that is known on this worker: the owned shard, or else the model that answers for it."""
        held: dict[int, Model] = {**self.replicas.held, **self.last}
        return dict(sorted({**{at: self.answering(at) or model for at, model in held.items()}, **self.owned}.items()))

    def folded(self) -> Iterator[tuple[int, Learner]]:
        """Yield each shard of which this worker has a model, with the learner of the furthest one."""
        for partition in self.known():
            model = self.answering(partition)
            if model is not None and model.learner is not None:
                yield partition, model.learner

    def lacking(self) -> Iterator[Lack]:
        """Yield each shard that is stopped on this worker, cannot be opened, or has no model to answer from yet.

        A shard that is being opened while a replica or the last model answers is not yielded. A replica whose snapshot was refused counts as
        stopped: the shard's owner answers, or has stopped.
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

    def close_part(self, place: int, part: Shard) -> None:
        """Close a shard, and keep its model to answer from."""
        part.close()
        last = self.last.get(place)
        if part.learner is not None and (last is None or last.position <= part.position):
            self.last[place] = part

    async def watch(self, place: int) -> None:
        """Watch a shard as any other partition. Whenever one of its databases fails, replace the shard by a new one."""
        while (shard := self.owned.get(place)) is not None:
            if not shard.failed:
                await super().watch(place)
            if not shard.failed or self.owned.get(place) is not shard:
                return
            self.close_part(place, shard)
            self.owned[place] = Shard(self.task, place, self.collaborators, predecessor=shard)
            await asyncio.sleep(self.pace.retry)

    async def open_part(self, part: Shard) -> None:
        """Open a shard, unless its task is stopped."""
        if self.trouble is not None:
            await part.stop(self.trouble)
        else:
            await part.open()

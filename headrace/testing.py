"""Tools to test your own tasks and models without Kafka.

`MemoryLog` is an event log in memory: append records or data frames, fold them, restart anywhere, compare digests. `check_model` checks that a
model does what the fold needs. `random_records` yields records that a task accepts.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple, Unpack

import msgspec

from headrace.app.client.calls import ColumnOptions, DataFrame
from headrace.app.client.frames import samples_of
from headrace.app.client.sent import Sent, Tally
from headrace.app.files.sources import Named
from headrace.app.model_check import Report, check_model
from headrace.learning.effects import Effect
from headrace.learning.fold.finding import Finding
from headrace.learning.fold.generated import samples, shapes
from headrace.learning.fold.learner import Learner
from headrace.learning.promises import Promises
from headrace.learning.records.mark import Mark
from headrace.learning.records.message import Message
from headrace.learning.snapshot import digest, seal, unseal
from headrace.learning.supplies import InMemory as Artefacts
from headrace.learning.supplies import Supplies
from headrace.learning.task import Json, Task
from headrace.learning.waiting.pending import InMemory
from headrace.tables.kafka.partitioner import partition_of

__all__ = ["Finding", "Folded", "MemoryLog", "Report", "check_model", "random_records"]

Record = dict[str, Json] | bytes
"""A record, as a dict or encoded as JSON."""


class Folded(NamedTuple):
    """The result of a fold of a `MemoryLog`.

    Parameters
    ----------
    learner
        The learner, at the position up to which it has folded: ask its `champion`, or go on folding with it.
    effects
        The effects that the fold has emitted, in order: predictions, drifts, refused records.
    """

    learner: Learner
    effects: list[Effect]

    @property
    def digest(self) -> str:
        """Return the digest of the learner's state, as 64 hex digits."""
        return digest(self.learner.state)

    @property
    def models(self) -> dict[str, str]:
        """Return the digest of each arm's model alone, as `GET /v1/{task}` has them: they depend on what was learned, and on no offset."""
        return {name: arm.digest for name, arm in self.learner.state.arms.items()}

    def snapshot(self) -> bytes:
        """Return a snapshot of the state. `MemoryLog.fold` can go on from it, as a worker does after a restart."""
        return seal(self.learner.state, self.learner.task, self.learner.partition, writer="memory")


class MemoryLog:
    """A task's event log in memory, with as many partitions as the task has.

    Parameters
    ----------
    task
        The task, with its model.

    Attributes
    ----------
    messages
        The messages of each partition, by offset.

    Examples
    --------
    A question, its label and a record that is refused:

    >>> log = MemoryLog(Task(name="ads", kind="binary", predictions=True))
    >>> log.append({"id": "a", "features": {"price": 3.5}})
    (0, 0)
    >>> log.append({"id": "a", "label": True}, timestamp=60_000)
    (0, 1)
    >>> log.append({"features": {"price": None}, "label": True})
    (0, 2)
    >>> folded = log.fold()
    >>> folded.learner.state.updates, folded.learner.champion.predict({"price": 3.5}).value
    (1, True)
    >>> [type(effect).__name__ for effect in folded.effects]
    ['Predicted', 'Resolved', 'Quarantined']

    A fold that goes on from a snapshot reaches the same state:

    >>> snapshot = log.fold(to=1).snapshot()
    >>> log.fold(snapshot=snapshot).digest == folded.digest
    True
    >>> log.check_restarts()
    """

    def __init__(self, task: Task):
        self.task = task
        self.messages: list[list[Message]] = [[] for _ in range(task.partitions)]
        # A snapshot does not contain the pending entries. Every fold of a partition writes the same ones.
        self._pending = [InMemory() for _ in self.messages]
        self._folded = [0 for _ in self.messages]
        self._artefacts = [Artefacts() for _ in self.messages]
        self._turns = count()

    def append(
        self, *records: Record, key: str | None = None, timestamp: int | None = None, partition: int | None = None
    ) -> tuple[int, int]:
        """Append one message, and return its partition and offset.

        Parameters
        ----------
        records
            The rows of the message: samples, questions, labels or control records. They are not checked here: the fold refuses wrong ones.
        key
            The key of the entity. It decides the partition as it does in Kafka.
        timestamp
            The message's timestamp in milliseconds since the epoch, which moves log time. The default is that of the partition's last message.
        partition
            The partition to append to, whatever the key. Without a partition and a key, the partitions take turns.
        """
        if partition is None:
            partitions = len(self.messages)
            partition = next(self._turns) % partitions if key is None else partition_of(key, partitions)
        messages = self.messages[partition]
        if timestamp is None:
            timestamp = messages[-1].timestamp if messages else 0
        value = b"\n".join(record if isinstance(record, bytes) else msgspec.json.encode(record) for record in records)
        messages.append(Message(len(messages), value, timestamp, None if key is None else key.encode()))
        return partition, len(messages) - 1

    def send(
        self,
        frame: DataFrame | Sequence[Mapping[str, Any]],
        *,
        timestamp: int | None = None,
        **columns: Unpack[ColumnOptions],
    ) -> Sent:
        """Append a message for each row of a data frame, with the bytes that `Client.send` has a worker append.

        Parameters
        ----------
        frame, columns
            As for `Client.send`.
        timestamp
            The timestamp of the messages, as for `append`.

        Returns
        -------
        What became of the rows.

        Raises
        ------
        ClientError
            A `FrameError` if the frame cannot be read or lacks a column.

        Examples
        --------
        >>> log = MemoryLog(Task(name="ads", kind="binary"))
        >>> print(log.send([{"price": 3.5, "bought": "yes"}, {"price": None, "bought": "no"}], label="bought"))
        2 of 2 rows appended, 0 refused.
        >>> log.messages[0][1].value
        b'{"features":{},"label":false}'
        >>> log.fold().learner.state.updates
        2
        """
        samples, left_out = samples_of(frame, self.task, Named(**columns))
        tally = Tally(left_out)
        for sample in samples:
            if sample.reason:
                tally.refuse(sample.line, sample.reason)
            else:
                tally.append(*self.append(sample.value, key=sample.key, timestamp=timestamp))
        return tally.sent

    def fold(self, partition: int = 0, *, to: int | None = None, snapshot: bytes | None = None) -> Folded:
        """Fold a partition.

        Parameters
        ----------
        partition
            The number of the partition.
        to
            The position to stop at: the offset of the first message that is not folded. The default is the end of the log.
        snapshot
            The snapshot to start from, in place of a new model. The effects are those of the messages after it.

        Raises
        ------
        SnapshotError
            The snapshot cannot be used: it is damaged, or of another task, partition or release.
        ValueError
            The snapshot is from another log.
        """
        messages, state = self.messages[partition], None
        if snapshot is not None:
            state = unseal(snapshot, self.task, partition)
            position = state.position
            if position > len(messages) or (state.last and state.last != Mark.of(messages[position - 1])):
                msg = f"the snapshot at position {position} is of another log"
                raise ValueError(msg)
            if position > self._folded[partition]:
                self.fold(partition, to=position)
        supplies = Supplies(self._artefacts[partition], Promises(self.task), self.task.modules)
        for message in messages:
            supplies.promises.note(message)
        learner, effects = Learner(self.task, partition, state, self._pending[partition], supplies), list[Effect]()
        for message in messages[learner.state.position : to]:
            for emitted in learner.fold(message):
                effects += emitted
        self._folded[partition] = max(self._folded[partition], learner.state.position)
        return Folded(learner, effects)

    def check_restarts(self, partition: int = 0, *, every: int = 1) -> None:
        """Check that a fold with a restart has the state and the effects of a fold without one. A restart is tried at every `every`-th position.

        The rest of the log is folded after each restart, so the time grows with the square of the log's length.

        Raises
        ------
        AssertionError
            A restart changes the state or the effects. The error names the position.
        SnapshotError
            The state cannot be saved or loaded.
        """
        whole = self.fold(partition)
        for position in range(0, len(self.messages[partition]) + 1, every):
            before = self.fold(partition, to=position)
            after = self.fold(partition, snapshot=before.snapshot())
            for part, restarted, uninterrupted in (
                ("state", after.digest, whole.digest),
                ("effects", before.effects + after.effects, whole.effects),
            ):
                if restarted != uninterrupted:
                    msg = f"a restart at position {position} of partition {partition} changes the {part}"
                    raise AssertionError(msg)


def random_records(task: Task, count: int) -> Iterator[dict[str, Json]]:
    """Yield samples that the task accepts: the same samples at each call for the same task.

    The features are numbers, strings and booleans as the task declares them. If the task declares none, some are missing and some are new.

    Parameters
    ----------
    task
        The task, whose features, kind and labels decide the samples.
    count
        The number of samples.

    Examples
    --------
    >>> task = Task(name="ads", kind="binary")
    >>> log = MemoryLog(task)
    >>> for record in random_records(task, 30):
    ...     _ = log.append(record)
    >>> log.fold().learner.state.updates
    30
    >>> log.check_restarts(every=10)
    """
    for features, label in samples(task, shapes(task)[0], count):
        yield {"features": features, "label": label}

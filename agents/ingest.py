"""The ingest agent: brings the topics of others, mapped, into a task's event log; each of their records counts once.

Nothing is lost and nothing is folded twice, whatever is killed or paused, because of three rules:

1. A *run* takes one partition of a source in its order, beginning at or before the first message that nobody has acknowledged, and
   appends to each shard in that order: the next batch is not sent before the broker has acknowledged the last
   (`tables/kafka/appender.py`).
2. A position is committed only when the broker has all that came of the messages before it. So whichever committed position a run
   begins at, even one that a late worker has put back, all before it is in the log.
3. What comes of a message follows from the message alone (`agents/mapping.py`): the same records, for the same shards. Each names
   its `source`, and the fold skips what is not ahead of the last one folded from there.

By 1 and 2, when a record gets into a shard for the first time, all that come before it in its source are there already, for every
run by itself; that runs overlap changes nothing, nor does a worker that wakes after a pause, or a batch that the network delivers
late: they bring copies of what is there. So the first copies stand in the order of the source, and by 3 the fold takes just these.

Faust brings the messages and shares out the partitions. It may lose some around a rebalance, which is seen by the position and
read again. Its group's own offsets are only a hint where to start fetching.

What that asks of an operator: a topic that is made anew needs a new name, since its records would be taken for old ones (an intake
that meets one stops: `learning/records/mark.py`); and a
mapping whose `key`, `rows` or order is changed should be changed between a clean end and a start of the workers, or the last
second's records may come into two shards.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec
from faust import Stream

from headrace.agents.assigned import Assigned
from headrace.agents.intake import Intake
from headrace.agents.poll import polls
from headrace.agents.source_context import SourceContext
from headrace.learning.errors import TopicError
from headrace.learning.task import Json

WATCH_SECONDS = 1.0
"""How often a position is committed, and how long it may stand still, the source being ahead, before the source is read."""


class SourceLack(NamedTuple):
    """A partition of a source that is stopped on this worker, or that it fails to open; `*` stands for all of the source."""

    topic: str
    partition: int | Literal["*"]
    state: Literal["stopped", "opening"]


class Ingest(Assigned[tuple[str, int], Intake]):
    """Brings the sources of one task into its event log.

    Parameters
    ----------
    context
        What its intakes act upon.
    """

    def __init__(self, context: SourceContext):
        super().__init__(WATCH_SECONDS)
        self.task, self.context = context.task, context
        self.intakes = self.parts
        self._gone: dict[str, str] = {}

    @property
    def topics(self) -> Collection[str]:
        """The topics of the task's sources."""
        return self.context.mappings

    async def take(self, stream: Stream) -> None:
        """The agent: hands each poll to the intake of its partition."""
        async for message in polls(stream):
            intake = self.intakes.get((message.topic, message.partition))
            if intake is not None:
                await intake.deliver(message.batch, message.link)

    def assign(self, places: Iterable[tuple[str, int]]) -> None:
        """Open the intakes of those partitions that are of the task's sources, and no others."""
        super().assign((topic, partition) for topic, partition in places if topic in self.topics)

    def make(self, place: tuple[str, int]) -> Intake:
        """Make an intake that is to be opened."""
        return Intake(self.context, *place)

    def name(self, place: tuple[str, int]) -> str:
        """Name the background task of an intake."""
        return f"source {place[0]}/{place[1]} of {self.task.name}"

    def close_part(self, place: tuple[str, int], part: Intake) -> None:  # noqa: ARG002
        """Close an intake."""
        part.close()

    def explain(self, part: Intake, error: Exception) -> str:
        """Say why an intake cannot be opened yet: its source is gone, or what the error says."""
        return self._gone.get(part.topic) or super().explain(part, error)

    def stop_source(self, topic: str, error: TopicError) -> None:
        """Stop all partitions of a source that was deleted or made anew; the others go on.

        The group assigns no partition of a topic that does not exist, so the error is kept here as well. Call it again while the trouble lasts.
        """
        self._gone[topic] = str(error)
        for intake in self.intakes.values():
            # One that is being opened is stopped when it knows its position.
            if intake.topic == topic and intake.status == "live":
                intake.stop(error)

    async def stop(self) -> None:
        """Close the connections."""
        await self.context.stop()

    def describe(self) -> dict[str, Json]:
        """The counts, and of each partition that is assigned here its position, the source's end, its state and its error.

        The partition of a source that is gone as a whole is `*`.
        """
        partitions = [
            {"topic": topic, "partition": partition, "state": intake.status, "position": intake.position,
             "end": max(intake.end, intake.position) if intake.status == "live" else intake.end, "error": intake.error}
            for (topic, partition), intake in sorted(self.intakes.items())
        ]  # fmt: skip
        partitions += [
            {"topic": topic, "partition": "*", "state": "stopped", "position": 0, "end": 0, "error": self._gone[topic]}
            for topic in self._gone_as_a_whole()
        ]
        return msgspec.structs.asdict(self.context.counts) | {"partitions": partitions}

    def lacking(self) -> Iterator[SourceLack]:
        """Yield each partition that is assigned here and is stopped or fails to open, and each source that is gone as a whole."""
        for (topic, partition), intake in sorted(self.intakes.items()):
            if intake.status == "stopped" or (intake.status == "opening" and intake.error):
                yield SourceLack(topic, partition, intake.status)
        for topic in self._gone_as_a_whole():
            yield SourceLack(topic, "*", "stopped")

    def _gone_as_a_whole(self) -> list[str]:
        """The sources that were deleted or made anew, and of which nothing is assigned here."""
        assigned = {intake.topic for intake in self.intakes.values()}
        return sorted(topic for topic in self._gone if topic not in assigned)

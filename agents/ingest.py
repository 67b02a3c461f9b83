"""The ingest agent: reads the source topics of a task, maps their messages, and appends the records to the event log.

Each record is folded exactly once, whatever is killed or paused, because of three rules:

1. A *run* takes one partition of a source in its order, beginning at or before the first message that nobody has acknowledged, and
   appends to each shard in that order: the next batch is not sent before the broker has acknowledged the last
   (`tables/kafka/appender.py`).
2. A position is committed only when the broker has all records of the messages before it. So all records before the position at which
   a run begins are in the log, even if a late worker has set the committed position back.
3. The records of a message depend on the message alone (`agents/mapping.py`): the same records, for the same shards. Each record names
   its `source`, and the fold skips a record that is not ahead of the last one folded from the same source.

By 1 and 2, when a record enters a shard for the first time, all records before it in its source are in the shard already. This holds for
every run by itself. So overlapping runs, a worker that wakes after a pause, or a batch that the network delivers late append only copies.
The first copies are in the order of the source, and by 3 the fold takes only the first copies.

Faust delivers the messages and assigns the partitions. It may lose messages around a rebalance; the intake sees the gap by its position
and reads the messages again. The offsets of Faust's group are only a hint where to start fetching.

An operator must do two things. A topic that is made anew needs a new name, since its records would be taken for old ones (an intake
that meets such a topic stops: `learning/records/mark.py`). A change of a mapping's `key`, `rows` or order should be made between a clean
end and a start of the workers, or the records of the last second may come into two shards.
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


class SourceLack(NamedTuple):
    """Names a source partition that this worker has stopped or fails to open; `*` stands for the whole source."""

    topic: str
    partition: int | Literal["*"]
    state: Literal["stopped", "opening"]


class Ingest(Assigned[tuple[str, int], Intake]):
    """Appends the records of one task's sources to its event log, with one intake for each assigned source partition.

    Parameters
    ----------
    context
        The collaborators that the intakes share.
    """

    def __init__(self, context: SourceContext):
        super().__init__(context.pace, context.pace.watch_sources)
        self.task, self.context = context.task, context
        self.intakes = self.parts
        self._gone: dict[str, str] = {}

    @property
    def topics(self) -> Collection[str]:
        """Return the topics of the task's sources."""
        return self.context.mappings

    async def take(self, stream: Stream) -> None:
        """Hand each poll to the intake of its partition. This is the Faust agent."""
        async for message in polls(stream):
            intake = self.intakes.get((message.topic, message.partition))
            if intake is not None:
                await intake.deliver(message.batch, message.link)

    def assign(self, places: Iterable[tuple[str, int]]) -> None:
        """Open an intake for each of the partitions that belongs to a source of the task, and close all others."""
        super().assign((topic, partition) for topic, partition in places if topic in self.topics)

    def make(self, place: tuple[str, int]) -> Intake:
        """Return a new intake, which is not open yet."""
        return Intake(self.context, *place)

    def name(self, place: tuple[str, int]) -> str:
        """Return the name of an intake's background task."""
        return f"source {place[0]}/{place[1]} of {self.task.name}"

    def close_part(self, place: tuple[str, int], part: Intake) -> None:  # noqa: ARG002
        """Close an intake."""
        part.close()

    def explain(self, part: Intake, error: Exception) -> str:
        """Return the reason why an intake cannot be opened yet: its source is gone, or the text of the error."""
        return self._gone.get(part.topic) or super().explain(part, error)

    def stop_source(self, topic: str, error: TopicError) -> None:
        """Stop all partitions of a source that was deleted or made anew; the other sources go on.

        The group assigns no partition of a topic that does not exist, so the error is kept here as well. The caller repeats the call while the
        source is gone.
        """
        self._gone[topic] = str(error)
        for intake in self.intakes.values():
            # An intake that is being opened is stopped by a later call, when it knows its position.
            if intake.topic == topic and intake.status == "live":
                intake.stop(error)

    async def stop(self) -> None:
        """Close the connections to the broker."""
        await self.context.stop()

    def describe(self) -> dict[str, Json]:
        """Return the counts of rows, and for each assigned partition its position, the source's end, its state and its error.

        A source that is gone as a whole has the partition `*`.
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
        """Yield each assigned partition that is stopped or fails to open, and each source that is gone as a whole."""
        for (topic, partition), intake in sorted(self.intakes.items()):
            if intake.status == "stopped" or (intake.status == "opening" and intake.error):
                yield SourceLack(topic, partition, intake.status)
        for topic in self._gone_as_a_whole():
            yield SourceLack(topic, "*", "stopped")

    def _gone_as_a_whole(self) -> list[str]:
        """List the sources that were deleted or made anew and have no assigned partition here."""
        assigned = {intake.topic for intake in self.intakes.values()}
        return sorted(topic for topic in self._gone if topic not in assigned)

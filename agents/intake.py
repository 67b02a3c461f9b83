"""An intake: brings one partition of a source into the event log, in its order and without a gap."""

import asyncio
from collections.abc import Coroutine, Sequence
from time import perf_counter
from typing import Literal

from headrace.agents.mapping import LeftOut, Mapped, Rejected
from headrace.agents.ordered_partition import OrderedPartition
from headrace.agents.outlet import CUT, headers_of_cut
from headrace.agents.rejected import pack_rejected
from headrace.agents.source_context import SourceContext
from headrace.learning.errors import HeadraceError, RecordError, TopicError
from headrace.learning.records.mark import KafkaMessage, Mark
from headrace.tables.kafka.appender import NewMessage

BREATH = 0.001
"""Seconds of mapping after which requests are let in."""

RUN_MAX = 1_000
"""Messages of a gap that are mapped together."""

ROWS_TOGETHER = 10_000
"""Rows that are mapped before they are appended, and those of one message more: a mapped row has many times its bytes."""

RETRY_SECONDS = 0.5

RECOMMIT_SECONDS = 3_600.0
"""How often a position that does not move is kept anew: Kafka forgets offsets that nobody has renewed for a week."""


class Breath:
    """Lets requests in every so often."""

    def __init__(self) -> None:
        self._at = perf_counter()

    async def draw(self) -> None:
        """Let others run if it is time."""
        if perf_counter() - self._at > BREATH:
            await asyncio.sleep(0)
            self._at = perf_counter()


class _Mapped:
    """What became of the rows of some messages."""

    def __init__(self) -> None:
        self.found: list[tuple[KafkaMessage, Mapped]] = []
        self.rejected: list[tuple[KafkaMessage, Rejected]] = []
        self.left_out = 0

    @property
    def rows(self) -> int:
        """How many rows are held."""
        return len(self.found) + len(self.rejected)

    def add(self, message: KafkaMessage, outcome: Mapped | Rejected | LeftOut) -> None:
        """One more row."""
        if isinstance(outcome, Mapped):
            self.found.append((message, outcome))
        elif isinstance(outcome, Rejected):
            self.rejected.append((message, outcome))
        else:
            self.left_out += 1


class Intake(OrderedPartition):
    """One source partition on the worker that it is assigned to.

    Its position is the offset of the next message to map; it moves when the broker has all that came of the messages before, in the
    event log or in the quarantine. What is not at the position is a duplicate, which is skipped, or a gap, which is read from the
    source first.

    The intake keeps the mark of the last message that it mapped. Where that message is no longer in the topic, the topic was made anew or
    has lost its end, and the intake stops: its records would be taken for those of the old one.

    Parameters
    ----------
    context
        What it acts upon, as do the other intakes of the task.
    topic, partition
        Which part of the source.
    """

    what, log_word = "an intake", "source"
    trusts_deliveries = True  # messages that were fetched together have lost none
    compares_before_gap = False
    compares_duplicates = True  # its position is from a commit: the source may be another one, and shorter
    run_max = RUN_MAX
    position: int = 0

    def __init__(self, context: SourceContext, topic: str, partition: int):
        super().__init__(context.logs[topic], partition, {"task": context.task.name, "source": f"{topic}/{partition}"})
        self.context, self.topic = context, topic
        self.mapping = context.mappings[topic]
        self.status: Literal["opening", "live", "stopped", "closed"] = "opening"
        self.error: str | None = None
        self.mark: Mark | None = None
        self.end = 0
        self._committed: int | None = None
        self._committed_at = 0.0
        self._seen = -1

    async def open(self) -> None:
        """Find out where to begin. Raises while the broker is away."""
        try:
            start = await self.context.positions.start(self.topic, self.partition)
            self.position, self.mark = start.position, start.mark
            self.end = await self._ask_end()
            if self.position < start.first:
                raise self.context.positions.lost(self.topic, self.partition, self.position, start.first)
            if self.mark is None and self.position > self.end:
                raise self.context.positions.other(self.topic, self.partition, self.position, self.end)
            await self.compare()
        except HeadraceError as error:
            self.stop(error)
            return
        if self.status == "opening":
            self.status, self.error = "live", None

    async def look_after(self) -> None:
        """Map what was not delivered, and keep the position. Raises while the broker is away."""
        await self.catch_up()
        await self.commit()

    async def leave(self) -> None:
        """Keep the position a last time."""
        await self.commit()

    def let_go(self) -> None:
        """Nothing was opened that would have to be closed."""

    async def catch_up(self) -> None:
        """Map what the source has and was not delivered: the position has not moved since the last call, and the source goes on."""
        position = self.position  # before the end, which it can only be ahead of if the topic has lost something
        self.end = await self._ask_end()
        if self.end < position and not self.taking.locked():
            await self._take_rest()
        stands, self._seen = self._seen == self.position, self.position
        if stands and self.position < self.end and not self.taking.locked():
            await self._take_rest()

    async def commit(self) -> None:
        """Keep the position, if it has moved or was kept long ago."""
        position, mark = self.position, self.mark
        is_old = perf_counter() - self._committed_at > RECOMMIT_SECONDS
        if self.status == "live" and (position != self._committed or is_old):
            await self.context.positions.commit(self.topic, self.partition, position, mark)
            self._committed, self._committed_at = position, perf_counter()
            await self.context.tell_group(self.topic, self.partition, position)

    def close(self) -> None:
        """Map no more. What is under way may still reach the event log, where it does no harm."""
        if self.status in ("opening", "live"):
            self.status = "closed"

    def stop(self, error: Exception) -> None:
        """Stop this partition alone, and say so."""
        self.halt(error)

    async def handle(self, error: Exception) -> None:
        """Stop: the topic is another one, or there is a defect in the mapping."""
        self.halt(error)

    async def guard(self, work: Coroutine[None, None, None]) -> Exception | None:
        """As every ordered partition; while the broker fails, `error` says so, and deliveries wait. What was appended is known by its source."""
        error = await super().guard(work)
        if self.status == "live":
            self.error = None if error is None else f"the broker failed: {error!r}"
        if error is not None:
            await asyncio.sleep(RETRY_SECONDS)
        return error

    async def compare(self) -> None:
        """Compare the topic with the mark, if there is one. LogError if the topic is another."""
        if self.mark is None:
            return
        fits = await self.context.logs[self.topic].holds(self.partition, self.mark)
        self.end = await self._ask_end()
        if not fits:
            raise self.context.positions.other(self.topic, self.partition, self.position, self.end)
        if self.position > self.end:  # the offsets behind the mark held no message, and may hold one now
            self.position = self.mark.offset + 1

    async def pass_over(self, offset: int) -> None:
        """Step over offsets that hold no message."""
        self.position = max(self.position, offset)

    async def _take_rest(self) -> None:
        async with self.taking:
            await self.guard(self._compare_and_read())

    async def _compare_and_read(self) -> None:
        await self.compare()
        await self.read_gap(self.end)

    async def take(self, messages: Sequence[KafkaMessage]) -> None:
        """Map, enrich, check and append messages, so many rows at a time; the position is behind each that is done with."""
        mapped = _Mapped()
        breath = Breath()
        for number, message in enumerate(messages, 1):
            for outcome in self.mapping.map(self.partition, message):
                mapped.add(message, outcome)
                await breath.draw()
            if self.status != "live":
                return
            if number == len(messages) or mapped.rows >= ROWS_TOGETHER:
                await self._bring(mapped, message)
                mapped = _Mapped()

    async def _bring(self, mapped: "_Mapped", last: KafkaMessage) -> None:
        """Enrich, check and append what was mapped; then the position is behind the last message."""
        await self._enrich([row for _, row in mapped.found])
        rejected, breath = mapped.rejected, Breath()
        rows: list[NewMessage] = []
        origins: list[tuple[KafkaMessage, Mapped]] = []
        for message, row in mapped.found:
            try:
                rows.append(NewMessage(row.partition, row.key, self.mapping.seal(row)))
                origins.append((message, row))
            except RecordError as error:
                rejected.append((message, Rejected(row.row, error.code, str(error), row.value)))
            await breath.draw()
        if self.status != "live":
            return
        too_large = await self.context.appender.append(rows)
        for number in too_large:
            message, row = origins[number]
            reason = (
                f"the event log does not take {len(rows[number].value)} bytes. Send less in one, or let it take more."
            )
            rejected.append((message, Rejected(row.row, "too_large", reason, row.value)))
        await self._quarantine(sorted(rejected, key=lambda each: (each[0].offset, each[1].row)))
        counts = self.context.counts
        counts.mapped += len(rows) - len(too_large)
        counts.left_out += mapped.left_out
        counts.rejected += len(rejected)
        self.position, self.mark = last.offset + 1, Mark.of(last)

    async def _enrich(self, found: Sequence[Mapped]) -> None:
        """Ask for stored features, once for all, and put them into the records, where they stay whatever becomes of the store."""
        wanting = [mapped for mapped in found if "features" in mapped.parts]
        if self.context.enricher is None or not wanting:
            return
        rows = [(mapped.entity, mapped.parts["features"]) for mapped in wanting]
        enriched = await self.context.enricher.enrich(rows)
        for mapped, features in zip(wanting, enriched, strict=True):
            mapped.parts["features"] = features

    async def _quarantine(self, rejected: Sequence[tuple[KafkaMessage, Rejected]]) -> None:
        if not rejected:
            return
        context = self.context
        rows = pack_rejected(context.task, self.topic, self.partition, rejected)
        cut = [
            row._replace(value=row.value[:CUT], headers=headers_of_cut(row.headers, len(row.value)))
            for row in (rows[number] for number in await context.quarantine.append(rows))
        ]
        if await context.quarantine.append(cut):
            raise TopicError(
                f"the topic {context.quarantine.topic} does not take {CUT >> 10} KiB.", "Let it take more."
            )

    async def _ask_end(self) -> int:
        return (await self.context.logs[self.topic].ends([self.partition]))[self.partition]

"""An intake: maps the messages of one source partition and appends their records to the event log, in order and without a gap."""

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
from headrace.learning.plain import plain_failure
from headrace.learning.records.mark import KafkaMessage, Mark
from headrace.tables.kafka.appender import NewMessage

RUN_MAX = 1_000
"""The number of messages of a gap that are mapped together."""

ROWS_TOGETHER = 10_000
"""The number of rows after which mapped rows are appended, since a mapped row takes many times its bytes in memory."""


class Yielding:
    """Yields to the event loop after every `seconds` of long work, so that requests are served meanwhile."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = perf_counter()

    async def yield_if_due(self) -> None:
        """Let other tasks run if the last pause was long enough ago."""
        if perf_counter() - self._at > self.seconds:
            await asyncio.sleep(0)
            self._at = perf_counter()


class _Outcomes:
    """Collects the outcomes of mapping the rows of some messages: records, rejected rows, rows left out."""

    def __init__(self) -> None:
        self.mapped: list[tuple[KafkaMessage, Mapped]] = []
        self.rejected: list[tuple[KafkaMessage, Rejected]] = []
        self.left_out = 0

    @property
    def rows(self) -> int:
        """Return the number of rows held."""
        return len(self.mapped) + len(self.rejected)

    def add(self, message: KafkaMessage, outcome: Mapped | Rejected | LeftOut) -> None:
        """Add the outcome of one row."""
        if isinstance(outcome, Mapped):
            self.mapped.append((message, outcome))
        elif isinstance(outcome, Rejected):
            self.rejected.append((message, outcome))
        else:
            self.left_out += 1


class Intake(OrderedPartition):
    """Maps the messages of one source partition and appends their records, on the worker that the partition is assigned to.

    The position is the offset of the next message to map. It moves when the broker has acknowledged all records of the messages before, in
    the event log or in the quarantine. A message before the position is a duplicate and is skipped; a message after it leaves a gap, which
    is read from the source first.

    The intake keeps the mark of the last message that it mapped. If the topic no longer has that message, the topic was made anew or has
    lost its end, and the intake stops: the new topic's records would be taken for those of the old one.

    Parameters
    ----------
    context
        The collaborators, which all intakes of the task share.
    topic, partition
        The source partition.
    """

    what, log_word = "an intake", "source"
    trusts_deliveries = True  # messages that were fetched together have lost none
    compares_before_gap = False
    compares_duplicates = True  # its position is from a commit: the source may be another one, and shorter
    run_max = RUN_MAX
    position: int = 0

    def __init__(self, context: SourceContext, topic: str, partition: int):
        where = {"task": context.task.name, "source": f"{topic}/{partition}"}
        super().__init__(context.logs[topic], partition, where, context.telemetry)
        self.context, self.topic = context, topic
        self.mapping = context.mappings[topic]
        self.status: Literal["opening", "live", "stopped", "closed"] = "opening"
        self.error: str | None = None
        self.mark: Mark | None = None
        self.end = 0
        self._committed: int | None = None
        self._committed_at = 0.0
        self._position_seen = -1

    async def open(self) -> None:
        """Look up the position to begin at. Raises while the broker is away."""
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
        """Map messages that were not delivered, and commit the position. Raises while the broker is away."""
        await self.catch_up()
        await self.commit()

    async def leave(self) -> None:
        """Commit the position a last time."""
        await self.commit()

    def let_go(self) -> None:
        """Do nothing: a failed opening leaves nothing open."""

    async def catch_up(self) -> None:
        """Read messages that were not delivered from the source: it is ahead, and the position has not moved since the last call."""
        position = self.position  # before the end, which it can only be ahead of if the topic has lost something
        self.end = await self._ask_end()
        if self.end < position and not self.taking.locked():
            await self._read_to_end()
        has_stood_still, self._position_seen = self._position_seen == self.position, self.position
        if has_stood_still and self.position < self.end and not self.taking.locked():
            await self._read_to_end()

    async def commit(self) -> None:
        """Commit the position if it has moved or was committed long ago."""
        position, mark = self.position, self.mark
        is_old = perf_counter() - self._committed_at > self.context.pace.recommit
        if self.status == "live" and (position != self._committed or is_old):
            await self.context.positions.commit(self.topic, self.partition, position, mark)
            self._committed, self._committed_at = position, perf_counter()
            await self.context.tell_group(self.topic, self.partition, position)

    def close(self) -> None:
        """Map no more messages. Records under way may still reach the event log, where they do no harm."""
        if self.status in ("opening", "live"):
            self.status = "closed"

    def stop(self, error: Exception) -> None:
        """Stop this partition alone, and log the error."""
        self.halt(error)

    async def handle(self, error: Exception) -> None:
        """Stop the partition: the topic is another one, or the mapping has a defect."""
        self.halt(error)

    async def guard(self, work: Coroutine[None, None, None]) -> Exception | None:
        """Do some work as every ordered partition does; while the broker fails, set `error` and let deliveries wait.

        Records that were appended before the failure may be appended again: the fold skips copies by their `source`.
        """
        error = await super().guard(work)
        if self.status == "live":
            self.error = None if error is None else f"the broker failed: {plain_failure(error)}"
        if error is not None:
            await asyncio.sleep(self.context.pace.retry)
        return error

    async def compare(self) -> None:
        """Compare the topic with the mark of the last mapped message, if there is one. LogError if it is another topic."""
        if self.mark is None:
            return
        fits = await self.context.logs[self.topic].holds(self.partition, self.mark)
        self.end = await self._ask_end()
        if not fits:
            raise self.context.positions.other(self.topic, self.partition, self.position, self.end)
        if self.position > self.end:  # the offsets behind the mark held no message, and may hold one now
            self.position = self.mark.offset + 1

    async def pass_over(self, offset: int) -> None:
        """Move the position over offsets that hold no message."""
        self.position = max(self.position, offset)

    async def _read_to_end(self) -> None:
        async with self.taking:
            await self.guard(self._compare_and_read())

    async def _compare_and_read(self) -> None:
        await self.compare()
        await self.read_gap(self.end)

    async def take(self, messages: Sequence[KafkaMessage]) -> None:
        """Map, enrich, check and append messages, up to `ROWS_TOGETHER` rows at a time, and move the position behind them."""
        outcomes = _Outcomes()
        yielding = Yielding(self.context.pace.yield_after)
        for number, message in enumerate(messages, 1):
            for outcome in self.mapping.map(self.partition, message):
                outcomes.add(message, outcome)
                await yielding.yield_if_due()
            if self.status != "live":
                return
            if number == len(messages) or outcomes.rows >= ROWS_TOGETHER:
                await self._append(outcomes, message)
                outcomes = _Outcomes()

    async def _append(self, outcomes: "_Outcomes", last: KafkaMessage) -> None:
        """Enrich, check and append mapped rows, quarantine rejected ones, and move the position behind the last message."""
        await self._enrich([row for _, row in outcomes.mapped])
        rejected, yielding = outcomes.rejected, Yielding(self.context.pace.yield_after)
        rows: list[NewMessage] = []
        origins: list[tuple[KafkaMessage, Mapped]] = []
        for message, row in outcomes.mapped:
            try:
                rows.append(NewMessage(row.partition, row.key, self.mapping.seal(row)))
                origins.append((message, row))
            except RecordError as error:
                rejected.append((message, Rejected(row.row, error.code, str(error), row.value)))
            await yielding.yield_if_due()
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
        counts.left_out += outcomes.left_out
        counts.rejected += len(rejected)
        for message, refused in rejected:
            place = f"{self.context.task.name}/{self.topic}/{self.partition}/{message.offset}/{refused.row}"
            self.telemetry.refusals.note(refused.code, refused.reason, place)
        self.position, self.mark = last.offset + 1, Mark.of(last)

    async def _enrich(self, rows: Sequence[Mapped]) -> None:
        """Look up stored features for all rows at once and put them into the records, so that a replay needs no store."""
        with_features = [row for row in rows if "features" in row.parts]
        if self.context.enricher is None or not with_features:
            return
        wanted = [(row.entity, row.parts["features"]) for row in with_features]
        enriched = await self.context.enricher.enrich(wanted)
        for row, features in zip(with_features, enriched, strict=True):
            row.parts["features"] = features

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

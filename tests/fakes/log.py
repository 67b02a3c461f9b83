"""A log in memory."""

from collections.abc import Sequence

from fakes.rules import Rule, hold
from fakes.step import Step, pause

from headrace.learning.errors import LogError
from headrace.learning.records.mark import KafkaMessage, Mark
from headrace.tables.kafka.asker import Look
from headrace.tables.kafka.log import recognise


class Log:
    """An event log or a source in memory, of which each partition ends where it is let end.

    It keeps to what `KafkaEventLog` promises: offsets may hold nothing, messages are read in their order, and a log is recognised by its end
    and the mark of the last message. Retention takes nothing from it. Ticks and first
    definitions are not kept: they change nothing but the clock, and what is in force already.

    Parameters
    ----------
    messages
        The messages of each partition, those that are still to come too: as `MemoryLog.messages` has them, or with offsets left out.
    end
        Where each partition ends at first; left out, after its last message.
    step
        Awaited before each answer and each message. It may take its time, fail, or end the process.

    Attributes
    ----------
    all
        The messages by partition.
    end
        The end of each partition.
    is_compacted
        Whether an offset that holds nothing may have held a message.
    reads
        The ranges of offsets that were read.
    """

    def __init__(
        self,
        messages: Sequence[list[KafkaMessage]],
        end: int | None = None,
        *,
        step: Step = pause,
    ):
        self.all = dict(enumerate(messages))
        self.end = {
            partition: end if end is not None else found[-1].offset + 1 if found else 0
            for partition, found in self.all.items()
        }
        self.is_compacted, self.reads = False, []
        self._step = step

    def grow(self, partition, count):
        self.end[partition] = min(self.end[partition] + count, len(self.all[partition]))

    async def read(self, partition, start, end):
        self.reads.append((start, end))
        for message in self._between(partition, start, end):
            await self._step()
            yield message

    async def ends(self, partitions):
        await self._step()
        return {partition: self.end[partition] for partition in partitions}

    async def check(self, partition, last, position):
        await self._step()
        look = self._look(partition, last[0] if last else position - 1)
        recognise(f"ads.events/{partition}", look, last, position)

    async def holds(self, partition, mark):
        await self._step()
        look = self._look(partition, mark.offset)
        return mark.offset < look.end and (look.message is None or Mark.of(look.message) == mark)

    async def check_hole(self, partition, start, end):
        await self._step()
        hold(Rule.NO_GAP, not self._between(partition, start, end), (start, end))
        if self.is_compacted:
            raise LogError("the topic is compacted.")

    async def append(self, partition, value, timestamp):
        await self._step()

    def _between(self, partition, start, end):
        return [message for message in self.all[partition] if start <= message.offset < end]

    def _look(self, partition, offset):
        end = self.end[partition]
        found = self._between(partition, offset, min(offset + 1, end))
        return Look(0, end, found[0] if found else None)

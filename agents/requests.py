"""Questions asked over Kafka: read from `<task>.requests`, answered on `<task>.predictions`."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

import msgspec
import structlog
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from headrace.agents.outlet import PACK_BYTES, pack
from headrace.learning.records import ROWS_MAX
from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers, ConsumerOptions, consuming, fetched
from headrace.tables.kafka.producer import producing

log = structlog.get_logger()

POLL_MAX = 500
"""Messages answered together: an answer waits for those beside it."""

TOGETHER = 50
"""Questions that are answered in one turn of the loop, at some 15 microseconds each."""

HELD_MAX = 4 << 20
"""Bytes of answers that are held before the broker must have them: an answer may be many times as long as its question."""

RETRY_SECONDS = 1.0

DETAIL_MAX = 1_000
"""Characters of a refusal's detail, which may quote the question."""

Answer = Callable[[Sequence[tuple[str, bytes]]], Awaitable[Sequence[bytes]]]
"""Answers questions, one line each, with the id of those that have none; raises for none of them: a refusal is an answer."""


class Line(NamedTuple):
    """A line of a message with its place, which is the id of a question that has none; or a message of too many (`rows`)."""

    message: ConsumerRecord
    place: str
    question: bytes
    rows: int = 1

    @property
    def is_asked(self) -> bool:
        """Whether it is answered, and not refused for the number of lines."""
        return self.rows <= ROWS_MAX


class Answers:
    """Answers on their way to the broker: those to one message go together, and with its key, as far as a broker takes them.

    Parameters
    ----------
    tell
        Appends lines as the answer to a message.
    """

    def __init__(self, tell: Callable[[ConsumerRecord, bytes], Awaitable[None]]):
        self.tell = tell
        self.size = 0
        self._message: ConsumerRecord | None = None
        self._lines: list[bytes] = []
        self._packed = 0
        self._ready: list[tuple[ConsumerRecord, bytes]] = []

    def add(self, message: ConsumerRecord, answer: bytes) -> None:
        """One more line; in place of one that no broker takes stands a refusal."""
        if message is not self._message or self.size - self._packed > PACK_BYTES:
            self.end_message()
        self._message = message
        self._lines.append(answer if len(answer) <= PACK_BYTES else too_large(len(answer)))
        self.size += len(self._lines[-1])

    def end_message(self) -> None:
        """What comes is of another message, or is told apart from what was before."""
        if self._message is not None:
            self._ready += [(self._message, value) for value in pack(self._lines)]
        self._lines, self._packed = [], self.size

    async def send(self) -> None:
        """Wait until the broker has all but the lines that others may still go with."""
        ready, self._ready = self._ready, []
        self.size -= self._packed
        self._packed = 0
        await asyncio.gather(*(self.tell(message, value) for message, value in ready))


class Requests:
    """Answers every request at least once, wherever the group puts it.

    The requests of one partition are read in their order, and their answers go to the same partition, modulo the task's number of
    partitions where the topic of the requests has more. Offsets are committed when the broker
    has the answers, so what a worker had in hand when it was killed is answered by another. An answer that is told twice carries the
    same id, that of the question or else its place in the topic; it may be of another position of the model. Unlike the event log, a
    request changes no model, so it needs no more order than this; of a question that is logged twice the fold takes the first.

    The consumer group is the task's own, so that its offsets outlive a change of the worker's tasks.

    Parameters
    ----------
    task
        Names the topics.
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    answer
        What answers.
    """

    def __init__(self, task: Task, brokers: Brokers | str, answer: Answer):
        self.task, self.brokers, self.answer = task, Brokers.of(brokers), answer

    async def run(self) -> None:
        """Answer until cancelled; a broker that is away is tried again."""
        while True:
            try:
                await self._serve()
            except (KafkaError, OSError) as error:
                log.warning("requests cannot be answered now", task=self.task.name, error=repr(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def _serve(self) -> None:
        options: ConsumerOptions = {
            "group_id": f"headrace-{self.task.requests}",
            "auto_offset_reset": "earliest",
            "fetch_max_wait_ms": 20,
        }
        async with (
            consuming(self.brokers, **options) as consumer,
            producing(self.brokers, idempotent=False) as producer,
        ):
            consumer.subscribe([self.task.requests])
            while True:
                polled = await fetched(consumer, timeout_ms=200, max_records=POLL_MAX)
                for messages in polled.values():
                    await self._answer(producer, messages)
                if polled:
                    await consumer.commit({shard: found[-1].offset + 1 for shard, found in polled.items()})

    async def _answer(self, producer: AIOKafkaProducer, messages: Sequence[ConsumerRecord]) -> None:
        lines, answers = lines_of(messages), Answers(partial(self._tell, producer))
        while some := list(islice(lines, TOGETHER)):
            told = iter(await self.answer([(line.place, line.question) for line in some if line.is_asked]))
            for line in some:
                answers.add(line.message, next(told) if line.is_asked else too_many(line.rows))
            if answers.size > HELD_MAX:
                await answers.send()
            await asyncio.sleep(0)  # others wait too
        answers.end_message()
        await answers.send()

    async def _tell(self, producer: AIOKafkaProducer, message: ConsumerRecord, value: bytes) -> None:
        """Append an answer. In place of one that the topic does not take stands a refusal, without the key: that may be what is too large."""
        topic = f"{self.task.name}.predictions"
        for told, key in ((value, message.key), (too_large(len(value)), None)):
            try:
                await producer.send_and_wait(topic, told, key=key, partition=message.partition % self.task.partitions)
            except MessageSizeTooLargeError as error:
                log.warning("an answer is too large", task=self.task.name, offset=message.offset, error=repr(error))
            else:
                return


def lines_of(messages: Sequence[ConsumerRecord]) -> Iterator[Line]:
    """Yield the lines of messages, and in place of those of a message that has too many one that says so."""
    for message in messages:
        value, place = message.value or b"", f"{message.topic}/{message.partition}/{message.offset}"
        rows = value.count(b"\n") + 1
        if rows > ROWS_MAX:
            yield Line(message, place, b"", rows)
        else:
            yield from (Line(message, f"{place}/{row}", line) for row, line in enumerate(value.split(b"\n")))


def refusal(name: str | None, code: str, detail: str, remedy: str) -> bytes:
    """The answer that says why there is none."""
    told = {"effect": "refused", "id": name, "code": code, "detail": detail[:DETAIL_MAX], "remedy": remedy}
    return msgspec.json.encode(told)


def too_many(rows: int) -> bytes:
    """The one answer to a message of too many questions."""
    return refusal(None, "too_many", f"{rows} questions in one message.", f"Send up to {ROWS_MAX}.")


def too_large(size: int) -> bytes:
    """What stands in for answers that a broker does not take."""
    return refusal(None, "too_large", f"the answer has {size} bytes.", "Use fewer or shorter labels, or a shorter key.")

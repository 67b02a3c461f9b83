"""Answers questions over Kafka: reads them from `<task>.requests` and publishes answers to `<task>.predictions`."""

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
from headrace.agents.pace import Pace
from headrace.learning.plain import plain_error
from headrace.learning.records import ROWS_MAX
from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers, ConsumerOptions, consuming, fetched
from headrace.tables.kafka.producer import producing

log = structlog.get_logger()

POLL_MAX = 500
"""The largest number of messages that are answered together: each answer waits for the others of its poll."""

CHUNK = 50
"""The number of questions that are answered before other tasks may run, at some 15 microseconds each."""

HELD_MAX = 4 << 20
"""Bytes of answers in memory above which they are sent to the broker: an answer may be many times as long as its question."""

DETAIL_MAX = 1_000
"""The largest number of characters of a refusal's detail, which may quote the question."""

Answerer = Callable[[Sequence[tuple[str, bytes]]], Awaitable[Sequence[bytes]]]
"""Answers questions. Each is a pair: the id to use if the question has none, and its line. It never raises, since a refusal is an answer too."""


class Line(NamedTuple):
    """A question in a message, with its place, which is the id of a question without one. Or a whole message that has too many `rows`."""

    message: ConsumerRecord
    place: str
    question: bytes
    rows: int = 1

    @property
    def is_asked(self) -> bool:
        """Say whether the question is answered, and not refused because its message has too many lines."""
        return self.rows <= ROWS_MAX


class AnswerPacker:
    """Packs answers and publishes them: the answers to one message share a message with the same key, unless it is too large for a broker.

    Parameters
    ----------
    publish
        Publishes lines as the answer to a message.
    """

    def __init__(self, publish: Callable[[ConsumerRecord, bytes], Awaitable[None]]):
        self.publish = publish
        self.size = 0
        self._message: ConsumerRecord | None = None
        self._lines: list[bytes] = []
        self._packed = 0
        self._ready: list[tuple[ConsumerRecord, bytes]] = []

    def add(self, message: ConsumerRecord, answer: bytes) -> None:
        """Add a line of answer; a refusal replaces a line that is too large for a broker."""
        if message is not self._message or self.size - self._packed > PACK_BYTES:
            self.end_message()
        self._message = message
        self._lines.append(answer if len(answer) <= PACK_BYTES else too_large(len(answer)))
        self.size += len(self._lines[-1])

    def end_message(self) -> None:
        """Finish the present message of answers. Later answers go into another one."""
        if self._message is not None:
            self._ready += [(self._message, value) for value in pack(self._lines)]
        self._lines, self._packed = [], self.size

    async def send(self) -> None:
        """Publish all finished messages and wait until the broker has acknowledged them. The present message is kept."""
        ready, self._ready = self._ready, []
        self.size -= self._packed
        self._packed = 0
        await asyncio.gather(*(self.publish(message, value) for message, value in ready))


class Requests:
    """Consumes `<task>.requests` and publishes an answer for each request to `<task>.predictions`, at least once.

    The requests of one partition are read in order, and their answers go to the same partition, modulo the task's number of partitions if
    the topic of the requests has more. Offsets are committed when the broker has acknowledged the answers, so if a worker is killed,
    another one answers its requests. Two answers to one request carry the same id, that of the question or else its place in the topic;
    they may come from different positions of the model. A request changes no model, so no further order is needed; if a question is logged
    twice, the fold takes the first.

    Each task has a consumer group of its own, so that its offsets outlive a change of the worker's tasks.

    Parameters
    ----------
    task
        The task, which names the topics.
    brokers
        The Kafka brokers: `Brokers`, or `host:port`, several separated by commas.
    answer
        Answers questions.
    pace
        Says how soon a broker that was away is tried again.
    """

    def __init__(self, task: Task, brokers: Brokers | str, answer: Answerer, pace: Pace = Pace()):
        self.task, self.brokers, self.answer, self.pace = task, Brokers.of(brokers), answer, pace

    async def run(self) -> None:
        """Answer requests until cancelled; try again while the broker is away."""
        while True:
            try:
                await self._serve()
            except (KafkaError, OSError) as error:
                log.warning("requests cannot be answered now", task=self.task.name, error=plain_error(error))
            await asyncio.sleep(self.pace.retry_requests)

    async def _serve(self) -> None:
        options: ConsumerOptions = {
            "group_id": f"headrace-{self.task.requests}",
            "auto_offset_reset": "earliest",
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
                    await consumer.commit({place: messages[-1].offset + 1 for place, messages in polled.items()})

    async def _answer(self, producer: AIOKafkaProducer, messages: Sequence[ConsumerRecord]) -> None:
        lines, answers = lines_of(messages), AnswerPacker(partial(self._publish, producer))
        while chunk := list(islice(lines, CHUNK)):
            answered = iter(await self.answer([(line.place, line.question) for line in chunk if line.is_asked]))
            for line in chunk:
                answers.add(line.message, next(answered) if line.is_asked else too_many(line.rows))
            if answers.size > HELD_MAX:
                await answers.send()
            await asyncio.sleep(0)  # let other tasks run
        answers.end_message()
        await answers.send()

    async def _publish(self, producer: AIOKafkaProducer, message: ConsumerRecord, value: bytes) -> None:
        """Publish an answer. If the topic does not take it, publish a refusal without the key, since the key may be too large."""
        topic = f"{self.task.name}.predictions"
        for content, key in ((value, message.key), (too_large(len(value)), None)):
            try:
                await producer.send_and_wait(
                    topic, content, key=key, partition=message.partition % self.task.partitions
                )
            except MessageSizeTooLargeError as error:
                log.warning(
                    "an answer is too large", task=self.task.name, offset=message.offset, error=plain_error(error)
                )
            else:
                return


def lines_of(messages: Sequence[ConsumerRecord]) -> Iterator[Line]:
    """Yield the lines of messages; for a message with too many lines, yield one `Line` with their number."""
    for message in messages:
        value, place = message.value or b"", f"{message.topic}/{message.partition}/{message.offset}"
        rows = value.count(b"\n") + 1
        if rows > ROWS_MAX:
            yield Line(message, place, b"", rows)
        else:
            yield from (Line(message, f"{place}/{row}", line) for row, line in enumerate(value.split(b"\n")))


def refusal(record_id: str | None, code: str, detail: str, remedy: str) -> bytes:
    """Encode the answer to a question that is refused: code, detail and remedy."""
    fields = {"effect": "refused", "id": record_id, "code": code, "detail": detail[:DETAIL_MAX], "remedy": remedy}
    return msgspec.json.encode(fields)


def too_many(rows: int) -> bytes:
    """Encode the one answer to a message with too many questions."""
    return refusal(None, "too_many", f"{rows} questions in one message.", f"Send up to {ROWS_MAX}.")


def too_large(size: int) -> bytes:
    """Encode the refusal that replaces an answer too large for a broker."""
    return refusal(None, "too_large", f"the answer has {size} bytes.", "Use fewer or shorter labels, or a shorter key.")

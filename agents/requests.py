"""Questions asked over Kafka: read from `<task>.requests`, answered on `<task>.predictions`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from learning.task import Task
from tables.kafka import Brokers
from tables.producer import producing

log = structlog.get_logger()

POLL_MAX = 500
"""Messages answered together: an answer waits for those beside it."""

RETRY_SECONDS = 1.0

Answer = Callable[[Sequence[bytes]], Awaitable[Sequence[bytes]]]
"""Answers questions, one line each, in their order; raises for none of them: a refusal is an answer."""


class Requests:
    """Answers every request at least once, wherever the group puts it.

    The requests of one partition are read in their order, and their answers go to the same partition. Offsets are committed when the broker
    has the answers, so what a worker had in hand when it was killed is answered by another. An answer that is told twice carries the
    same id; it may be of another position of the model. Unlike the event log, a request changes no model, so it needs no more order than this.

    Parameters
    ----------
    task
        Names the topics.
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    group
        The consumer group of the workers.
    answer
        What answers.
    """

    def __init__(self, task: Task, brokers: Brokers | str, group: str, answer: Answer):
        self.task, self.brokers, self.group, self.answer = task, Brokers.of(brokers), group, answer

    async def run(self) -> None:
        """Answer until cancelled; a broker that is away is tried again."""
        while True:
            try:
                await self._serve()
            except (KafkaError, OSError) as error:
                log.warning("requests cannot be answered now", task=self.task.name, error=repr(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def _serve(self) -> None:
        consumer = self.brokers.consumer(
            group_id=f"{self.group}-requests", auto_offset_reset="earliest", fetch_max_wait_ms=20
        )
        consumer.subscribe([self.task.requests])
        async with consumer, producing(self.brokers) as producer:
            while True:
                polled = await consumer.getmany(timeout_ms=200, max_records=POLL_MAX)
                for shard, messages in polled.items():
                    await self._answer(producer, shard, messages)
                if polled:
                    await consumer.commit({shard: found[-1].offset + 1 for shard, found in polled.items()})

    async def _answer(
        self, producer: AIOKafkaProducer, shard: TopicPartition, messages: Sequence[ConsumerRecord]
    ) -> None:
        asked = [(message, (message.value or b"").split(b"\n")) for message in messages]
        lines = [line for _, rows in asked for line in rows]
        told = iter(await self.answer(lines))
        sent = []
        for message, rows in asked:
            value = b"\n".join(next(told) for _ in rows)
            topic = f"{self.task.name}.predictions"
            sent.append(await producer.send(topic, value, key=message.key, partition=shard.partition))
        await asyncio.gather(*sent)

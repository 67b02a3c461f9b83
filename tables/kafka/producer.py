"""The one way to append to Kafka: acknowledged by all in-sync replicas, and never twice by a retry."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownError

from headrace.tables.kafka.clients import Brokers, ask_cluster, close, started
from headrace.tables.kafka.ends import EMBEDDED_CLUSTER

log = structlog.get_logger()


async def start_producer(brokers: Brokers | str, *, idempotent: bool = True, **options: Any) -> AIOKafkaProducer:
    """Start a producer, idempotent unless the broker is the embedded one.

    The embedded broker does not give out the producer ids that it takes, and answers "unknown error"; on it a retry may append a record
    a second time, which the fold would see as a second record. It is for development only. Of any other broker that is an error.

    Parameters
    ----------
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    idempotent
        False where a record that stands twice does no harm.
    options
        Of `aiokafka.AIOKafkaProducer`.

    Raises
    ------
    KafkaError
        The broker is away, or gives out no producer id and is not the embedded one.
    """
    brokers = Brokers.of(brokers)
    logging.getLogger("aiokafka.producer.sender").addFilter(_is_news)
    try:
        return await started(brokers.producer(enable_idempotence=idempotent, **options))
    except UnknownError:
        cluster = await ask_cluster(brokers)
        if cluster != EMBEDDED_CLUSTER:
            log.error("the broker gives out no producer id", broker=str(brokers), cluster=cluster)  # noqa: TRY400
            raise
        return await started(brokers.producer(**options))


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of aiokafka's says more than that there are no producer ids, which is known and mended above."""
    return "InitProducerIdRequest" not in str(record.msg)


class LastingProducer:
    """One producer for all who append to the same place: started when it is first asked for, another once it has failed.

    Parameters
    ----------
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    options
        Of `start_producer`.
    """

    def __init__(self, brokers: Brokers | str, **options: Any):
        self.brokers, self.options = Brokers.of(brokers), options
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def get(self) -> AIOKafkaProducer:
        """The producer, connected."""
        if self._producer is not None:  # a lock lets only one through at each turn of the loop
            return self._producer
        async with self._starting:
            if self._producer is None:
                self._producer = await start_producer(self.brokers, **self.options)
            return self._producer

    async def append(self, topic: str, value: bytes | None, **where: Any) -> Any:
        """Append one record and wait for its acknowledgement; what a producer has failed to append, the next one is asked for."""
        producer = await self.get()
        try:
            return await producer.send_and_wait(topic, value, **where)
        except KafkaError:
            self.replace(producer)
            raise

    def replace(self, producer: AIOKafkaProducer) -> None:
        """Hand out another one from now on: after a refusal this one's sequence has a hole. It still sends what others have given it."""
        if self._producer is producer:
            self._producer = None
            self._closing.add(closing := asyncio.create_task(close(producer)))
            closing.add_done_callback(self._closing.discard)

    async def stop(self) -> None:
        """Send what is under way and close the connections, which takes as long as the broker is away: a worker that ends limits the time."""
        if self._producer is not None:
            self.replace(self._producer)
        if self._closing:
            await asyncio.wait(
                self._closing
            )  # beside them: who cancels this would cancel the closing, and all who wait for it


@asynccontextmanager
async def producing(brokers: Brokers | str, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """A producer as of `start_producer`, which sends what is under way and stops at the end of the block."""
    producer = await start_producer(brokers, **options)
    try:
        yield producer
    finally:
        await producer.stop()

"""Producers: append to Kafka with the acknowledgement of all in-sync replicas, and without duplicates by retries."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Unpack

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownError
from aiokafka.structs import RecordMetadata

from headrace.tables.kafka.clients import Brokers, ProducerOptions, ask_cluster, close, started
from headrace.tables.kafka.ends import EMBEDDED_CLUSTER

log = structlog.get_logger()


async def start_producer(
    brokers: Brokers | str, *, idempotent: bool = True, **options: Unpack[ProducerOptions]
) -> AIOKafkaProducer:
    """Start a producer, idempotent unless the broker is the embedded one.

    The embedded broker does not give out the producer ids that it takes, and answers "unknown error"; on it a retry may append a record
    a second time, which the fold would see as a second record. It is for development only. Of any other broker that is an error.

    Parameters
    ----------
    brokers
        The brokers: `Brokers`, or `host:port`, several separated by commas.
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
    """Return False for aiokafka's log lines about missing producer ids, which `start_producer` deals with."""
    return "InitProducerIdRequest" not in str(record.msg)


class LastingProducer:
    """A producer that several callers share; it is started at its first use and replaced once it has failed.

    Parameters
    ----------
    brokers
        The brokers: `Brokers`, or `host:port`, several separated by commas.
    options
        Options of `start_producer`.
    """

    def __init__(self, brokers: Brokers | str, *, idempotent: bool = True, **options: Unpack[ProducerOptions]):
        self.brokers, self.idempotent, self.options = Brokers.of(brokers), idempotent, options
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def get(self) -> AIOKafkaProducer:
        """Return the connected producer."""
        if self._producer is not None:  # without the lock, which lets only one caller through at each turn of the loop
            return self._producer
        async with self._starting:
            if self._producer is None:
                self._producer = await start_producer(self.brokers, idempotent=self.idempotent, **self.options)
            return self._producer

    async def append(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
    ) -> RecordMetadata:
        """Append one record and wait for its acknowledgement. After a KafkaError, the next call gets another producer."""
        producer = await self.get()
        try:
            return await producer.send_and_wait(topic, value, key=key, partition=partition, timestamp_ms=timestamp_ms)
        except KafkaError:
            self.replace(producer)
            raise

    def replace(self, producer: AIOKafkaProducer) -> None:
        """Make `get` return another producer from now on, because the sequence of a producer that failed has a hole.

        The replaced producer still sends the records that it has accepted.
        """
        if self._producer is producer:
            self._producer = None
            self._closing.add(closing := asyncio.create_task(close(producer)))
            closing.add_done_callback(self._closing.discard)

    async def stop(self) -> None:
        """Send the pending records and close the connections. While the broker is away this does not return: limit the time."""
        if self._producer is not None:
            self.replace(self._producer)
        if self._closing:
            await asyncio.wait(
                self._closing
            )  # wait, not gather: a caller that is cancelled must not cancel the closing for others


@asynccontextmanager
async def producing(
    brokers: Brokers | str, *, idempotent: bool = True, **options: Unpack[ProducerOptions]
) -> AsyncIterator[AIOKafkaProducer]:
    """Start a producer as `start_producer` does; at the end of the block, send its pending records and stop it."""
    producer = await start_producer(brokers, idempotent=idempotent, **options)
    try:
        yield producer
    finally:
        await producer.stop()

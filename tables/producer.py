"""The one way to append to Kafka: acknowledged by all in-sync replicas, and never twice by a retry."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownError

from tables.kafka import Brokers


async def start_producer(brokers: Brokers | str, *, idempotent: bool = True, **options: Any) -> AIOKafkaProducer:
    """A producer that is connected, idempotent where the broker knows how.

    Kafka does. The embedded broker does not give out the producer ids that it takes, and answers "unknown error"; on it a retry may
    append a record a second time, which the fold would see as a second record. It is for development only.

    Parameters
    ----------
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    idempotent
        False where a record that stands twice does no harm.
    options
        Of `aiokafka.AIOKafkaProducer`.
    """
    brokers = Brokers.of(brokers)
    producer = brokers.producer(enable_idempotence=idempotent, **options)
    logging.getLogger("aiokafka.producer.sender").addFilter(_is_news)
    try:
        await producer.start()
    except UnknownError:
        await producer.stop()
        producer = brokers.producer(**options)
        await producer.start()
    except BaseException:
        await producer.stop()
        raise
    return producer


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of aiokafka's says more than that there are no producer ids, which is known and mended above."""
    return "InitProducerIdRequest" not in str(record.msg)


@asynccontextmanager
async def producing(brokers: Brokers | str, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """A producer as of `start_producer`, which sends what is under way and stops at the end of the block."""
    producer = await start_producer(brokers, **options)
    try:
        yield producer
    finally:
        await producer.stop()

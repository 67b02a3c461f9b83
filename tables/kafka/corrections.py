"""Corrections of aiokafka 0.14: two defects and a setting that fits no load, corrected for every client of this process, Faust's included."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import aiokafka.admin.client
import aiokafka.client
import aiokafka.consumer.consumer
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from headrace.learning.plain import plain_failure
from headrace.tables.kafka.fetcher import PacedFetcher

Options = ParamSpec("Options")
Sent = TypeVar("Sent")
Sending = Callable[Concatenate[AIOKafkaConnection, Options], Sent]


def correct_aiokafka() -> None:
    """Correct how aiokafka requests metadata, fetches, and sends over a closed connection. The module `clients` calls this at import."""
    setattr(aiokafka.consumer.consumer, "Fetcher", PacedFetcher)  # noqa: B010 a type checker takes it for a type
    aiokafka.client.MetadataRequest = aiokafka.admin.client.MetadataRequest = _describe
    for name in ("send", "_send_sasl_token"):
        setattr(AIOKafkaConnection, name, _failing_as_broken(getattr(AIOKafkaConnection, name)))


def _describe(topics: list[str] | None = None) -> MetadataRequest:
    """Make a metadata request that does not let the broker create missing topics.

    aiokafka allows creation in every metadata request and has no setting for it. With Kafka's default `auto.create.topics.enable`, a topic
    that is deleted while a worker runs would come back at once, empty and with the broker's default settings.
    """
    return MetadataRequest(topics, allow_auto_topic_creation=False)


def _failing_as_broken(send: Sending[Options, Sent]) -> Sending[Options, Sent]:
    """Wrap a connection's method that sends, so that it raises KafkaConnectionError if uvloop has closed the transport.

    uvloop raises RuntimeError then, which aiokafka does not expect: its task that fetches or requests metadata would end silently, and
    the client would wait for ever. A connection that is cut just before a request is sent is enough for that.
    """

    @wraps(send)
    def sending(connection: AIOKafkaConnection, /, *arguments: Options.args, **options: Options.kwargs) -> Sent:
        try:
            return send(connection, *arguments, **options)
        except RuntimeError as error:
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(
                f"Connection at {connection.host}:{connection.port} broken: {plain_failure(error)}"
            ) from error

    return sending

"""What aiokafka 0.14 does otherwise than Headrace needs, put right for every client of this process, Faust's included."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import aiokafka.admin.client
import aiokafka.client
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest


def correct_aiokafka() -> None:
    """Put right how aiokafka asks for metadata and sends over a closed connection. `clients` does it when it is imported."""
    aiokafka.client.MetadataRequest = aiokafka.admin.client.MetadataRequest = _describe
    for name in ("send", "_send_sasl_token"):
        setattr(AIOKafkaConnection, name, _failing_as_broken(getattr(AIOKafkaConnection, name)))


def _describe(topics: list[str] | None = None) -> MetadataRequest:
    """Ask for topics without having the broker create those that are missing.

    aiokafka allows creation in every metadata request and has no setting for it. A topic of ours that is deleted while a worker runs would
    come back at once, empty and with the broker's defaults, where the broker has `auto.create.topics.enable`, as Kafka has by default.
    """
    return MetadataRequest(topics, allow_auto_topic_creation=False)


def _failing_as_broken(send: Callable[..., Any]) -> Callable[..., Any]:
    """A way for a connection to send that fails as aiokafka expects it where uvloop has closed the transport.

    uvloop raises RuntimeError then, for which aiokafka is not made: the task that fetches, or that asks for metadata, ended without a word,
    and the client waited for ever. A connection that is cut just before something is sent is enough.
    """

    @wraps(send)
    def sending(connection: AIOKafkaConnection, *arguments: Any, **options: Any) -> Any:
        try:
            return send(connection, *arguments, **options)
        except RuntimeError as error:
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} broken: {error}") from error

    return sending

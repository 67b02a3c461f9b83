"""Topics as the broker describes them: partition counts, and the id that tells a topic from a later one of the same name."""

from collections.abc import Iterable
from io import BytesIO
from typing import ClassVar
from uuid import UUID

import msgspec
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

UNKNOWN_TOPIC = 3


class TopicDescription(msgspec.Struct, frozen=True):
    """The description of a topic by the broker, as `find_topics` returns it.

    Parameters
    ----------
    partitions
        The number of partitions; 0 if there is an error.
    id
        The topic's id; None if the broker has no topic ids (Kafka before 2.8).
    error
        Kafka's error code if the topic cannot be described, for example for lack of rights; 0 otherwise.
    """

    partitions: int
    id: UUID | None = None
    error: int = 0


async def find_topics(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, TopicDescription]:
    """Look up topics by name in one request; a topic that does not exist is left out of the answer, and is not created.

    Raises
    ------
    KafkaError
        The broker does not answer.
    """
    # aiokafka has no public method to send another request; its version is pinned.
    answer = await admin._send_request(_TopicsRequest(sorted(names)))  # noqa: SLF001
    return {
        topic["topic"]: TopicDescription(len(topic["partitions"]), topic.get("topic_id"), topic["error_code"])
        for topic in answer.to_object()["topics"]
        if topic["error_code"] != UNKNOWN_TOPIC
    }


class _Uuid(AbstractType[UUID | None]):
    """16 bytes; all zero stands for no id."""

    @classmethod
    def encode(cls, value: UUID | None) -> bytes:
        return value.bytes if value else bytes(16)

    @classmethod
    def decode(cls, data: BytesIO) -> UUID | None:
        raw = data.read(16)
        return UUID(bytes=raw) if any(raw) else None


class _TopicsResponse(Response):
    """Metadata response, version 10: https://kafka.apache.org/protocol#The_Messages_Metadata."""

    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString()),
                ("port", Int32),
                ("rack", CompactString()),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString()),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _TopicsRequest_v10(RequestStruct):  # noqa: N801 aiokafka's way to name versions
    """Metadata request, version 10: the first with topic ids; aiokafka ends at version 5."""

    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE: ClassVar[type[Response]] = _TopicsResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("topic", CompactString()), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicsRequest(Request[MetadataRequest_v5 | _TopicsRequest_v10]):
    API_KEY = 3

    def __init__(self, topics: list[str]):
        self._topics = topics

    def build(
        self, request_struct_class: type[MetadataRequest_v5 | _TopicsRequest_v10]
    ) -> MetadataRequest_v5 | _TopicsRequest_v10:
        if request_struct_class is _TopicsRequest_v10:
            named: list[tuple[None, str, dict[int, bytes]]] = [(None, topic, {}) for topic in self._topics]
            return request_struct_class(named, False, False, False, {})
        return request_struct_class(self._topics, False)

"""Timestamps: has a broker keep the times of what is appended to a topic, in place of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from headrace.tables.kafka.clients import Brokers, started

TYPE = "message.timestamp.type"
OF_TOPIC = 1
"""Kafka's mark of a setting that the topic has of its own, from version 1 of its answer on; version 0 says only what is a default."""

SETTLE_SECONDS = 1.0
"""How long a broker may take from its answer until an altered setting is in force; nothing tells when it is."""


@asynccontextmanager
async def keeping_timestamps(brokers: Brokers, topic: str) -> AsyncIterator[None]:
    """Have the broker keep the timestamps that messages bring, during the block; then set the topic as it was.

    Where the broker cannot, or nobody may, messages get the broker's time: what comes back from an append says so.
    """
    admin = await started(brokers.admin())
    try:
        before = await _own_settings(admin, topic)
        changes = before.get(TYPE) == "LogAppendTime" and await _set(admin, topic, before | {TYPE: "CreateTime"})
        try:
            if changes:
                await asyncio.sleep(SETTLE_SECONDS)
            yield
        finally:
            if changes:
                await _set(admin, topic, before)
    finally:
        await admin.close()


async def _own_settings(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    """Return the settings that the topic has of its own. Altering one takes all of them: Kafka drops what is left out."""
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    entries = [entry for answer in answers for resource in answer.resources for entry in resource[4]]
    return {entry[0]: entry[1] or "" for entry in entries if _is_own(entry)}


def _is_own(entry: tuple[object, ...]) -> bool:
    return entry[3] == OF_TOPIC if len(entry) > 5 else not entry[3]


async def _set(admin: AIOKafkaAdminClient, topic: str, settings: dict[str, str]) -> bool:
    """Set a topic; return whether the broker did it."""
    try:
        answers = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, settings)])
    except KafkaError:
        return False
    return all(resource[0] == 0 for answer in answers for resource in answer.resources)

"""The changelog and its follower, on a real broker."""

import asyncio
import uuid

import pytest
from aiokafka.errors import KafkaError

from headrace.tables.changelog import KafkaChangelog, KafkaFollower
from headrace.tables.kafka.topics import Topic, prepare


async def poll_often(follower):
    """Poll until that fails; a fetch that is under way still comes in."""
    for _ in range(100):
        await follower.poll(0.1)


def test_a_follower_whose_client_has_ended_says_so_and_follows_again_with_another(broker):
    """It would wait for ever for what its client does not fetch any more."""

    async def check():
        topic = f"followed-{uuid.uuid4().hex[:8]}"
        await prepare(broker, [Topic(topic, 1, {"cleanup.policy": "compact"})])
        changelog, follower = KafkaChangelog(topic, broker), KafkaFollower(topic, broker)
        try:
            await follower.follow({0: 0})
            assert await follower.poll(0.1) == {}
            follower._consumer._fetcher._fetch_task.cancel()
            await changelog.append(0, b"key", b"value")
            with pytest.raises(KafkaError, match="has ended"):
                await poll_often(follower)
            await follower.follow({0: 0})
            found = {}
            while not found:
                found = await follower.poll(0.1)
            assert [entry.value for entry in found[0]] == [b"value"]
        finally:
            await follower.stop()
            await changelog.stop()

    asyncio.run(check())

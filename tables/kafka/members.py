"""The owners of shards, as the consumer group has assigned them: each member's client id holds its address."""

import asyncio
from collections.abc import Iterator
from time import monotonic

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError

from headrace.tables.kafka.clients import Brokers, started

CLIENT = "headrace@"
KEEP_SECONDS = 1.0
"""How long an answer of the broker is cached, so that requests for another worker's shard put no load on the broker."""

ASK_SECONDS = 2.0
"""How long the broker may take to answer: prediction requests wait for it."""


class Members:
    """Asks the broker for the members of a group.

    Parameters
    ----------
    brokers
        The brokers: `Brokers`, or `host:port`, several separated by commas.
    group
        The name of the consumer group.
    """

    def __init__(self, brokers: Brokers | str, group: str):
        self.brokers, self.group = Brokers.of(brokers), group
        self._admin: AIOKafkaAdminClient | None = None
        self._owners: dict[tuple[str, int], str] = {}
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def owner(self, topic: str, partition: int) -> str | None:
        """Return the address of a shard's owner; None while the group has no owner for it.

        Any client that can join the group can choose its address, so check the address before you send it anything.
        """
        async with self._asking:
            if monotonic() - self._asked_at > KEEP_SECONDS:
                try:
                    async with asyncio.timeout(ASK_SECONDS):  # its end is an OSError
                        self._owners = await self._ask()
                except (KafkaError, OSError):
                    self._owners = {}
                self._asked_at = monotonic()
        return self._owners.get((topic, partition))

    async def stop(self) -> None:
        """Close the connection to the broker."""
        if self._admin is not None:
            admin, self._admin = self._admin, None
            await admin.close()

    async def _ask(self) -> dict[tuple[str, int], str]:
        if self._admin is None:
            self._admin = await started(self.brokers.admin())
        owners: dict[tuple[str, int], str] = {}
        for answer in await self._admin.describe_consumer_groups([self.group]):
            for group in answer.groups:
                for _, client, _, _, assignment, *_ in group[5]:
                    if client.startswith(CLIENT):
                        owners |= dict.fromkeys(shards_of(assignment), client.removeprefix(CLIENT))
        return owners


def shards_of(assignment: bytes) -> Iterator[tuple[str, int]]:
    """Yield the topics and partitions that the group has assigned to a member; none if the assignment cannot be read.

    Examples
    --------
    >>> assigned = ConsumerProtocolMemberAssignment(0, [("ads.events", [0, 1])], b"").encode()
    >>> list(shards_of(assigned)), list(shards_of(b"no such thing"))
    ([('ads.events', 0), ('ads.events', 1)], [])
    """
    try:
        decoded = ConsumerProtocolMemberAssignment.decode(assignment).assignment if assignment else None
    except ValueError:  # a member with another protocol must not hide the others
        return
    for topic, partitions in decoded or ():
        yield from ((topic, partition) for partition in partitions or ())

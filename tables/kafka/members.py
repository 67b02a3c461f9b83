"""Who owns which shard, as the consumer group has it: members carry their address in their client id."""

import asyncio
from collections.abc import Iterator
from time import monotonic

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError

from headrace.tables.kafka.clients import Brokers, started

CLIENT = "headrace@"
KEEP_SECONDS = 1.0
"""How long an answer of the broker is used: requests for another worker's shard must not become load on the broker."""

ASK_SECONDS = 2.0
"""How long the broker may take to tell: questions wait for it."""


class Members:
    """Asks the broker for the members of a group.

    Parameters
    ----------
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    group
        The consumer group.
    """

    def __init__(self, brokers: Brokers | str, group: str):
        self.brokers, self.group = Brokers.of(brokers), group
        self._admin: AIOKafkaAdminClient | None = None
        self._owners: dict[tuple[str, int], str] = {}
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def owner(self, topic: str, partition: int) -> str | None:
        """The address that the owner of a shard gives itself; None while the group does not know.

        Whoever can join the group can give any text as its address: check it before it is asked.
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
    """The topics and partitions that the group has assigned to a member; none where that cannot be read.

    Examples
    --------
    >>> assigned = ConsumerProtocolMemberAssignment(0, [("ads.events", [0, 1])], b"").encode()
    >>> list(shards_of(assigned)), list(shards_of(b"no such thing"))
    ([('ads.events', 0), ('ads.events', 1)], [])
    """
    try:
        decoded = ConsumerProtocolMemberAssignment.decode(assignment).assignment if assignment else None
    except ValueError:  # a member of another make, which must not hide the others
        return
    for topic, partitions in decoded or ():
        yield from ((topic, partition) for partition in partitions or ())

"""Placement: looks whether messages lie in the shard to which their key belongs, so that a producer with another partitioner is noticed."""

import zlib
from collections.abc import Sequence

from headrace.learning.records.mark import KafkaMessage
from headrace.tables.kafka.partitioner import partition_of

EVERY = 50
"""One message in so many of a run is looked at: murmur2 in Python takes microseconds, which is a good part of a fold."""

KEY_MAX = 256
"""Longer keys are not looked at, for the same reason."""


class Placement:
    """Counts, for one shard on one worker, the keys that belong to another shard by Kafka's default partitioner.

    It counts a sample of the messages that this worker has folded since it opened the shard, and is no part of the state: a record is
    folded in the shard where it lies, wherever it belongs.

    Parameters
    ----------
    partition, partitions
        The shard, and how many there are.
    since
        When the counting begins, in seconds since the epoch.

    Attributes
    ----------
    looked_at, misplaced
        The keys that were looked at, and those of them that belong to another shard.
    by_crc32
        Those of the misplaced ones that lie where librdkafka's default partitioner puts them.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> placement = Placement(2, 4, since=0.0)
    >>> placement.look([SimpleNamespace(key=b"user-2")])  # by murmur2 it belongs to shard 0, by crc32 to this one
    >>> placement.looked_at, placement.misplaced, placement.by_crc32
    (1, 1, 1)
    """

    def __init__(self, partition: int, partitions: int, since: float):
        self.partition, self.partitions, self.since = partition, partitions, since
        self.looked_at = self.misplaced = self.by_crc32 = 0

    def look(self, messages: Sequence[KafkaMessage]) -> None:
        """Look at the keys of some of the messages of a run: the first, and one in `EVERY`."""
        for at in range(0, len(messages), EVERY):
            key = messages[at].key
            if not key or len(key) > KEY_MAX:
                continue
            self.looked_at += 1
            if partition_of(key, self.partitions) != self.partition:
                self.misplaced += 1
                self.by_crc32 += zlib.crc32(key) % self.partitions == self.partition

"""Placing: which shard an entity's records go to."""

from aiokafka.partitioner import murmur2


def partition_of(key: str | bytes, partitions: int) -> int:
    """The shard of an entity's key (UTF-8): Kafka's default partitioner.

    Examples
    --------
    >>> partition_of("user-1", 4)
    0
    """
    encoded = key.encode() if isinstance(key, str) else key
    return int((murmur2(encoded) & 0x7FFFFFFF) % partitions)

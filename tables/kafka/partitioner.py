"""The partitioner: finds the shard of an entity's records."""

from aiokafka.partitioner import murmur2


def partition_of(key: str | bytes, partitions: int) -> int:
    """Return the shard of an entity's key (UTF-8), as Kafka's default partitioner computes it.

    Examples
    --------
    >>> partition_of("user-1", 4)
    0
    """
    if partitions == 1:
        return 0
    encoded = key.encode() if isinstance(key, str) else key
    return int((murmur2(encoded) & 0x7FFFFFFF) % partitions)

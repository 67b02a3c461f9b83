"""The mark of a message: enough of it to recognise the log that it is from."""

import hashlib
from typing import Protocol

Mark = tuple[int, int, str]
"""Offset, timestamp in milliseconds since the epoch, and SHA-256 (hex) of key and value."""


class Marked(Protocol):
    """A message, as a Kafka client hands it over. `timestamp` is in milliseconds since the epoch."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def mark_of(message: Marked) -> Mark:
    """The mark of a message.

    Another log that was written at another time has other timestamps, so its messages have other marks, even if it repeats the values.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> offset, timestamp, sha256 = mark_of(SimpleNamespace(offset=7, timestamp=1_000, key=None, value=b"{}"))
    >>> offset, timestamp, sha256[:8]
    (7, 1000, '44136fa3')
    """
    value = message.value or b""
    content = b"%d\0%b%b" % (len(message.key), message.key, value) if message.key else value
    return message.offset, message.timestamp, hashlib.sha256(content).hexdigest()

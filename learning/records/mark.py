"""The mark of a message: a fingerprint that tells a log from another log of the same name."""

import hashlib
from typing import NamedTuple, Protocol

from headrace.learning.tags import tagged

FORMAT = "1"


class KafkaMessage(Protocol):
    """A message as a Kafka client returns it."""

    @property
    def offset(self) -> int:
        """The offset in the partition."""
        ...

    @property
    def timestamp(self) -> int:
        """Kafka's timestamp in milliseconds since the epoch."""
        ...

    @property
    def key(self) -> bytes | None:
        """The key, which decides the partition."""
        ...

    @property
    def value(self) -> bytes | None:
        """The records, one a line."""
        ...


@tagged("mark/1")
class Mark(NamedTuple):
    """The fingerprint of a message: its offset, its Kafka timestamp in milliseconds, and the SHA-256 of its key and value, as hex.

    A learner keeps the mark of the last message that it folded, and a shard compares it with the log when it opens. A log that was
    deleted and written again has other timestamps, so its marks differ even where its values are the same.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> mark = Mark.of(SimpleNamespace(offset=7, timestamp=1_700_000_000_000, key=None, value=b"{}"))
    >>> mark.offset, mark.digest[:8]
    (7, '44136fa3')
    >>> Mark.parse(mark.text) == mark
    True
    >>> Mark.parse("") is None
    True
    """

    offset: int
    timestamp: int
    digest: str

    @classmethod
    def of(cls, message: KafkaMessage) -> "Mark":
        """Take the fingerprint of a message."""
        value = message.value or b""
        content = b"%d\0%b%b" % (len(message.key), message.key, value) if message.key else value
        return cls(message.offset, message.timestamp, hashlib.sha256(content).hexdigest())

    @property
    def text(self) -> str:
        """The mark as one line, to be stored with a committed offset."""
        return f"{FORMAT} {self.offset} {self.timestamp} {self.digest}"

    @classmethod
    def parse(cls, text: str | None) -> "Mark | None":
        """Read a mark from its line; return None for any other text, as after a reset of the committed offset by hand."""
        try:
            version, offset, timestamp, digest = (text or "").split(" ")
            return cls(int(offset), int(timestamp), digest) if version == FORMAT else None
        except ValueError:
            return None

"""Refused records, as they stand in `<task>.quarantine`: where each is from, why it was refused, and the mark under which it is sent again."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord


class RefusedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record of the quarantine.

    Parameters
    ----------
    id
        The id of the effect; empty if another program has written the record.
    code, reason
        Why it was refused: a row of `REFUSALS`, and the reason for people.
    topic, partition, offset, row
        The place where it stood: in the event log, or in a source.
    stored_in, stored_at
        The partition and the offset at which the quarantine has it.
    time
        When the quarantine got it, in seconds since the epoch.
    key, value
        The key of its message, and its bytes.
    rows
        How many consecutive rows of a source it stands for; 0 if it is one record.
    cut_from
        The number of bytes that it had, if the quarantine has only the first of them; otherwise 0.
    """

    id: str
    code: str
    reason: str
    topic: str
    partition: int
    offset: int
    row: int
    stored_in: int
    stored_at: int
    time: float
    key: bytes | None
    value: bytes
    rows: int = 0
    cut_from: int = 0

    @classmethod
    def of(cls, message: "ConsumerRecord") -> "RefusedRecord":
        """Read a message of the quarantine. A header that is missing, or is not what it should be, counts as empty or 0."""
        headers = {name: value.decode(errors="replace") for name, value in message.headers}
        return cls(
            id=headers.get("id", ""),
            code=headers.get("code", ""),
            reason=headers.get("reason", ""),
            topic=headers.get("topic", ""),
            partition=_number(headers, "partition"),
            offset=_number(headers, "offset"),
            row=_number(headers, "row"),
            stored_in=message.partition,
            stored_at=message.offset,
            time=message.timestamp / 1000,
            key=message.key,
            value=message.value or b"",
            rows=_number(headers, "rows"),
            cut_from=_number(headers, "cut_from_bytes"),
        )

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield each record of the value with its number: a message with too many rows, or several rows of a source, have more than one."""
        has_several = self.rows > 1 or self.code == "too_many_rows"
        yield from enumerate(self.value.removesuffix(b"\n").split(b"\n") if has_several else [self.value])


def source_of(task: str, code: str) -> str:
    """Return the name under which the records of one code are a source, when they are sent again.

    The fold skips a record that is not ahead of the last one folded from the same partition of a source (`learning/fold/sources.py`). So the
    records of each code have a source of their own: whoever sends those of one code need not have sent the earlier ones of the others.

    Examples
    --------
    >>> source_of("ads", "label")
    'ads.quarantine.label'
    """
    return f"{task}.quarantine.{code}"


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0

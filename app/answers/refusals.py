"""The quarantine."""

import msgspec

from headrace.app.answers.answer import Position
from headrace.tables.refused import RefusedRecord

SHOWN_BYTES = 4_096
"""The bytes of a refused record that are shown. `headrace quarantine --export` writes the whole."""


class StoredRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """A refused record, as `<task>.quarantine` has it.

    Parameters
    ----------
    id
        The id of its effect, unique in the task.
    topic, partition, offset, row
        The place where it stood: in the event log, or in a source of the task.
    stored_in, stored_at
        The partition and the offset at which the quarantine has it.
    code, reason
        Why it was refused, for programs and for people.
    time
        When the quarantine got it, in seconds since the epoch.
    key, value
        The key of its message, and its first 4,096 bytes, as text. A byte that is not UTF-8 is shown as U+FFFD.
    bytes
        How many bytes the record has.
    """

    id: str
    topic: str
    partition: Position
    offset: Position
    row: Position
    stored_in: Position
    stored_at: Position
    code: str
    reason: str
    time: float
    key: str | None
    value: str
    bytes: Position

    @classmethod
    def of(cls, record: RefusedRecord) -> "StoredRefusal":
        """Describe a record of the quarantine."""
        fields = msgspec.structs.asdict(record)
        parts = {name: fields[name] for name in cls.__struct_fields__ if name in fields}
        parts["key"] = None if record.key is None else record.key.decode(errors="replace")
        parts["value"] = record.value[:SHOWN_BYTES].decode(errors="replace")
        return cls(bytes=record.cut_from or len(record.value), **parts)


class SentAgain(msgspec.Struct, frozen=True):
    """How far refused records have been sent again and folded: those of one code from one partition of the quarantine, in one shard.

    Parameters
    ----------
    code
        Why the records had been refused.
    shard
        The shard that has folded them.
    stored_in, stored_at, row
        The last one that was folded. The shard skips this one and those before it.
    """

    code: str
    shard: Position
    stored_in: Position
    stored_at: Position
    row: Position


class StoredRefusals(msgspec.Struct, frozen=True):
    """The last refused records of a task.

    Parameters
    ----------
    counts
        How many of the newest `counted` records were refused for each reason.
    counted, kept
        How many records were counted, and how many the quarantine keeps. The counts are of all that are kept where the two are equal.
    records
        The last ones, newest first.
    sent_again
        How far records have been sent again with `headrace quarantine --replay`.
    """

    counts: dict[str, Position]
    counted: Position
    kept: Position
    records: list[StoredRefusal]
    sent_again: list[SentAgain]

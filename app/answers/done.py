"""What a control record did."""

import msgspec

from headrace.app.answers.answer import Position


class Done(msgspec.Struct, frozen=True):
    """What one shard has done with a control record.

    Parameters
    ----------
    partition, position
        The shard, and the offset of the record; None to those who ask later.
    did
        What it did; begins with `refused: ` where it did nothing; None while it has not come to it.
    repeated
        Whether the shard knew the id when the worker was asked: then the record has no effect, and `did` is what the first one did.
    """

    partition: Position
    position: Position | None
    did: str | None
    repeated: bool = False


class Controlled(msgspec.Struct, frozen=True):
    """A control record: its id, and what each shard has done with it."""

    id: str
    shards: list[Done]

from collections.abc import Sequence
from typing import NamedTuple

class TP(NamedTuple):
    topic: str
    partition: int

class Message:
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        timestamp: float | None,
        timestamp_type: int,
        headers: Sequence[tuple[str, bytes]] | None,
        key: bytes | None,
        value: bytes | None,
        checksum: int | None,
        serialized_key_size: int | None = None,
        serialized_value_size: int | None = None,
        tp: TP | None = None,
        time_in: float | None = None,
        time_out: float | None = None,
        time_total: float | None = None,
        generation_id: int | None = None,
    ) -> None: ...

class ConsumerMessage(Message): ...

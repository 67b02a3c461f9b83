import asyncio
from collections.abc import Mapping, Sequence
from re import Pattern

from faust.app import App
from faust.channels import Channel
from faust.types import TP

class Topic(Channel):
    topics: Sequence[str]
    def __init__(
        self,
        app: App,
        *,
        topics: Sequence[str] | None = None,
        pattern: str | Pattern[str] | None = None,
        schema: object = None,
        key_type: type | None = None,
        value_type: type | None = None,
        is_iterator: bool = False,
        partitions: int | None = None,
        retention: float | None = None,
        compacting: bool | None = None,
        deleting: bool | None = None,
        replicas: int | None = None,
        acks: bool = True,
        internal: bool = False,
        config: Mapping[str, object] | None = None,
        queue: object = None,
        key_serializer: str | None = None,
        value_serializer: str | None = None,
        maxsize: int | None = None,
        root: Channel | None = None,
        active_partitions: set[TP] | None = None,
        allow_empty: bool | None = None,
        has_prefix: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None: ...
    def get_topic_name(self) -> str: ...

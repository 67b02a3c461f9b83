import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from re import Pattern

from faust.channels import Channel
from faust.streams import Stream
from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP
from faust.types.settings import Settings
from faust.web.drivers.aiohttp import Web
from mode.services import Service
from mode.signals import Signal

class App(Service):
    consumer_generation_id: int
    on_partitions_assigned: Signal[set[TP]]
    on_partitions_revoked: Signal[set[TP]]
    web: Web
    def __init__(
        self,
        id: str,
        *,
        monitor: object = None,
        config_source: object = None,
        loop: asyncio.AbstractEventLoop | None = None,
        beacon: object = None,
        **options: object,
    ) -> None: ...
    @property
    def conf(self) -> Settings: ...
    @conf.setter
    def conf(self, settings: Settings) -> None: ...
    @property
    def consumer(self) -> Consumer: ...
    @consumer.setter
    def consumer(self, consumer: Consumer) -> None: ...
    def _new_transport(self) -> Transport: ...
    def topic(
        self,
        *topics: str,
        pattern: str | Pattern[str] | None = None,
        schema: object = None,
        key_type: type | None = None,
        value_type: type | None = None,
        key_serializer: str | None = None,
        value_serializer: str | None = None,
        partitions: int | None = None,
        retention: float | None = None,
        compacting: bool | None = None,
        deleting: bool | None = None,
        replicas: int | None = None,
        acks: bool = True,
        internal: bool = False,
        config: Mapping[str, object] | None = None,
        maxsize: int | None = None,
        allow_empty: bool = False,
        has_prefix: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> Channel: ...
    def agent(
        self,
        channel: str | Channel | None = None,
        *,
        name: str | None = None,
        concurrency: int = 1,
        supervisor_strategy: type | None = None,
        sink: Iterable[object] | None = None,
        isolated_partitions: bool = False,
        use_reply_headers: bool = True,
        **kwargs: object,
    ) -> Callable[[Callable[[Stream], Awaitable[None]]], object]: ...

import abc
from collections.abc import AsyncIterator, Mapping

from aiokafka.structs import ConsumerRecord
from faust.app import App
from faust.transport.base import Transport
from faust.types import TP, Message
from mode.services import Service
from mode.threads import QueueServiceThread

class Consumer(Service):
    app: App
    transport: Transport
    flow_active: bool
    _buffered_partitions: set[TP]
    async def perform_seek(self) -> None: ...
    def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]: ...
    async def _wait_next_records(
        self, timeout: float
    ) -> tuple[Mapping[TP, list[ConsumerRecord]] | None, set[TP] | None]: ...
    @abc.abstractmethod
    async def _commit(self, offsets: Mapping[TP, int]) -> bool: ...
    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None: ...

class ThreadDelegateConsumer(Consumer):
    async def _commit(self, offsets: Mapping[TP, int]) -> bool: ...
    @abc.abstractmethod
    def _new_consumer_thread(self) -> ConsumerThread: ...

class ConsumerThread(QueueServiceThread):
    def __init__(self, consumer: ThreadDelegateConsumer, **kwargs: object) -> None: ...

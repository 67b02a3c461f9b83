from collections.abc import Mapping
from typing import ClassVar

from aiokafka import AIOKafkaConsumer
from faust.transport import base
from faust.transport.consumer import ConsumerThread, ThreadDelegateConsumer
from faust.types import TP

class AIOKafkaConsumerThread(ConsumerThread):
    _consumer: AIOKafkaConsumer | None
    def _create_worker_consumer(self, transport: Transport) -> AIOKafkaConsumer: ...
    def _ensure_consumer(self) -> AIOKafkaConsumer: ...
    def assignment(self) -> set[TP]: ...
    def verify_event_path(self, now: float, tp: TP) -> None: ...
    async def _commit(self, offsets: Mapping[TP, int]) -> bool: ...

class Consumer(ThreadDelegateConsumer):
    _thread: AIOKafkaConsumerThread
    def _new_consumer_thread(self) -> AIOKafkaConsumerThread: ...

class Transport(base.Transport):
    Consumer: ClassVar[type[Consumer]]

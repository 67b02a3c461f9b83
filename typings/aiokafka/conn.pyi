import asyncio
from enum import IntEnum

from aiokafka.protocol.api import Request, RequestStruct

class CloseReason(IntEnum):
    CONNECTION_BROKEN = 0
    CONNECTION_TIMEOUT = 1
    OUT_OF_SYNC = 2
    IDLE_DROP = 3
    SHUTDOWN = 4
    AUTH_FAILURE = 5

class AIOKafkaConnection:
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    def send(self, request: Request[RequestStruct], expect_response: bool = True) -> asyncio.Future[object]: ...
    def _send_sasl_token(self, payload: bytes, expect_response: bool = True) -> asyncio.Future[object]: ...
    def close(self, reason: CloseReason | None = None, exc: BaseException | None = None) -> object: ...

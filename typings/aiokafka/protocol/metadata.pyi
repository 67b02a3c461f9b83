from typing import ClassVar

from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.types import Schema

class MetadataRequest_v5(RequestStruct):
    API_KEY: ClassVar[int] = 3
    API_VERSION: ClassVar[int] = 5
    SCHEMA: ClassVar[Schema]

class MetadataRequest(Request[RequestStruct]):
    API_KEY: ClassVar[int] = 3
    def __init__(self, topics: list[str] | None = None, allow_auto_topic_creation: bool | None = None) -> None: ...
    def build(self, request_struct_class: type[RequestStruct]) -> RequestStruct: ...

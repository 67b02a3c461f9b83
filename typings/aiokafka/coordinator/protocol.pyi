from typing import ClassVar

from aiokafka.protocol.struct import Struct
from aiokafka.protocol.types import Schema

class ConsumerProtocolMemberAssignment(Struct):
    SCHEMA: ClassVar[Schema]
    assignment: list[tuple[str, list[int] | None]] | None

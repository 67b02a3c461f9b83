from collections.abc import Callable

from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.metadata import MetadataRequest as _MetadataRequest

# A class, in whose place Headrace puts a function of its own.
MetadataRequest: Callable[[list[str] | None], _MetadataRequest]

class AIOKafkaClient:
    _conns: dict[object, AIOKafkaConnection]

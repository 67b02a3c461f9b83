import abc
from typing import Any, ClassVar, Generic, TypeVar

from aiokafka.protocol.struct import Struct
from aiokafka.protocol.types import Schema

_T = TypeVar("_T", bound=RequestStruct)

class Request(abc.ABC, Generic[_T]):
    API_KEY: ClassVar[int]
    @abc.abstractmethod
    def build(self, request_struct_class: type[_T]) -> _T: ...

class RequestStruct(Struct, metaclass=abc.ABCMeta):
    FLEXIBLE_VERSION: ClassVar[bool]
    API_KEY: ClassVar[int]
    API_VERSION: ClassVar[int]
    RESPONSE_TYPE: ClassVar[type[Response]]
    SCHEMA: ClassVar[Schema]

class Response(Struct, metaclass=abc.ABCMeta):
    # Abstract properties, which every subclass shadows with a number.
    API_KEY: ClassVar[int]
    API_VERSION: ClassVar[int]
    def to_object(self) -> dict[str, Any]: ...

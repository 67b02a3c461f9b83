import abc
from io import BytesIO
from typing import Generic, TypeVar

_T = TypeVar("_T")

class AbstractType(Generic[_T], metaclass=abc.ABCMeta):
    @classmethod
    @abc.abstractmethod
    def encode(cls, value: _T) -> bytes: ...
    @classmethod
    @abc.abstractmethod
    def decode(cls, data: BytesIO) -> _T: ...

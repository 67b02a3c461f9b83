from collections.abc import Awaitable
from typing import Any, Generic, Protocol, TypeVar, type_check_only

_T = TypeVar("_T")
_T_contra = TypeVar("_T_contra", contravariant=True)

@type_check_only
class _Handler(Protocol[_T_contra]):
    def __call__(self, sender: Any, payload: _T_contra, /, *, signal: object) -> Awaitable[None]: ...

# mode's type parameter is the sender's; this one is of what is sent.
class BaseSignal(Generic[_T]):
    def connect(self, fun: _Handler[_T] | None = None, **kwargs: object) -> _Handler[_T]: ...

class Signal(BaseSignal[_T]): ...

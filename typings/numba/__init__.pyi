from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

def njit(*args: Any, cache: bool = ..., **kws: Any) -> Callable[[_F], _F]: ...

from typing import Generic, Self, TypeVar

from typing_extensions import disjoint_base

_K = TypeVar("_K")
_V = TypeVar("_V")

@disjoint_base
class VectorDict(Generic[_K, _V]):
    def __new__(
        cls,
        data: dict[_K, _V] | None = None,
        default_factory: None = None,
        mask: None = None,
        copy: bool = False,
    ) -> Self: ...

import abc
from typing import Any

from river.base import Base
from river.tree.hoeffding_tree import HoeffdingTree

class HTLeaf(Base, metaclass=abc.ABCMeta):
    def __init__(self, stats: object, depth: int, splitter: object, **kwargs: object) -> None: ...
    @abc.abstractmethod
    def prediction(
        self, x: dict[str, Any], *, tree: HoeffdingTree | None = None
    ) -> dict[bool | int | float | str, float]: ...

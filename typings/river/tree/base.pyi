import abc
from typing import Any

from river.base import Base
from river.tree.nodes.leaf import HTLeaf

class Branch(Base, metaclass=abc.ABCMeta):
    def __init__(self, *children: object) -> None: ...
    def traverse(self, x: dict[str, Any], until_leaf: bool = True) -> HTLeaf: ...

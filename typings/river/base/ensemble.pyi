from collections import UserList
from collections.abc import Iterator
from typing import TypeVar

_T = TypeVar("_T")

class Ensemble(UserList[_T]):
    def __init__(self, models: Iterator[_T]) -> None: ...

import abc
from collections.abc import Iterator
from typing import Any

class Dataset(metaclass=abc.ABCMeta):
    n_samples: int | None
    @abc.abstractmethod
    def __iter__(self) -> Iterator[tuple[dict[str, Any], bool | int | float | str]]: ...

"""The classes that a model has met, in an order that survives its bytes."""

from collections.abc import Iterable, Iterator
from typing import Any

from headrace.learning.tags import tagged
from headrace.learning.task import Label


@tagged("classes/1")
class Classes:
    """A set of labels that is walked, always, as a `set` would be to which they were added in the order in which they were met.

    River keeps labels in a `set`, and ties between classes go by its order. That depends on how the set came to be: one that is read
    back from bytes may be walked otherwise, and the model would part from the one that was saved. Here the order of a River that was
    never interrupted is kept; hashes being fixed (PYTHONHASHSEED=0), it follows from the labels.

    Attributes
    ----------
    sorted
        The labels in sorted order, whole numbers before strings, which Python cannot compare.

    Examples
    --------
    >>> classes = Classes()
    >>> for label in (15, "b", 7, 15):
    ...     classes.add(label)
    >>> list(classes) == list({15} | {"b"} | {7})
    True
    >>> classes.sorted
    [7, 15, 'b']
    """

    def __init__(self, labels: Iterable[Label] = ()):
        self._met: list[Label] = []
        self._walked: dict[Label, None] = {}
        self.sorted: list[Label] = []
        for label in labels:
            self.add(label)

    def add(self, label: Label) -> None:
        """Take in a label."""
        if label in self._walked:
            return
        self._met.append(label)
        grown: set[Label] = set()
        for met in self._met:
            grown.add(met)  # one by one: `set(self._met)` may be walked otherwise
        self._walked = dict.fromkeys(grown)
        self.sorted = sorted(grown, key=_type_and_value)

    def __iter__(self) -> Iterator[Label]:
        return iter(self._walked)

    def __len__(self) -> int:
        return len(self._walked)

    def __contains__(self, label: object) -> bool:
        return label in self._walked


def _type_and_value(label: Label) -> tuple[str, Any]:
    return type(label).__name__, label


class LastingClasses:
    """Makes `classes` of a River classifier, which it sets to an empty set on its making, a `Classes`."""

    _met: Classes

    @property
    def classes(self) -> Classes:
        """The labels met so far."""
        return self._met

    @classes.setter
    def classes(self, labels: Iterable[Label]) -> None:
        self._met = Classes(labels)

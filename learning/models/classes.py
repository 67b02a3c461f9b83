"""The classes that a model has met, in an order of their own."""

from collections.abc import Iterable, Iterator
from typing import Any

from learning.task import Label


class Classes:
    """A set of labels that is walked in sorted order, whole numbers before strings.

    River keeps labels in a `set`. The order of a set depends on how it came to be, so a model that came back from its bytes would list
    its classes, and break ties between them, otherwise than the one that was saved. And it sorts them in places, which fails when
    some are numbers and some strings.

    Examples
    --------
    >>> classes = Classes([15, "b"])
    >>> for label in ("a", 7, 15):
    ...     classes.add(label)
    >>> list(classes)
    [7, 15, 'a', 'b']
    """

    def __init__(self, labels: Iterable[Label] = ()):
        self._labels: dict[Label, None] = {}
        for label in labels:
            self.add(label)

    def add(self, label: Label) -> None:
        """Take in a label."""
        if label not in self._labels:
            self._labels = dict.fromkeys(sorted([*self._labels, label], key=_order))

    def __iter__(self) -> Iterator[Label]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)

    def __contains__(self, label: object) -> bool:
        return label in self._labels


def _order(label: Label) -> tuple[str, Any]:
    return type(label).__name__, label


class SortedClasses:
    """Makes `classes` of a River classifier, which it sets to an empty set on its making, a `Classes`."""

    _met: Classes

    @property
    def classes(self) -> Classes:
        """The labels met so far."""
        return self._met

    @classes.setter
    def classes(self, labels: Iterable[Label]) -> None:
        self._met = Classes(labels)

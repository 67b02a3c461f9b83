"""The classes that a model has met, in an order that survives a restart."""

from collections.abc import Iterable, Iterator

from headrace.learning.tags import tagged
from headrace.learning.task import Label


@tagged("classes/1")
class Classes:
    """A set of labels with the iteration order of a `set` to which the labels were added one by one as they were met.

    River keeps labels in a `set`, and its order decides ties between classes. That order depends on the history of the set, so a set that
    is read from bytes may have another order, and the model would then predict otherwise than the saved one. This class keeps the order
    of a River model that was never interrupted. With fixed hashes (PYTHONHASHSEED=0) the order follows from the labels.

    Attributes
    ----------
    sorted
        The labels in sorted order, whole numbers before strings, because Python cannot compare the two.

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
        """Add a label."""
        if label in self._walked:
            return
        self._met.append(label)
        grown: set[Label] = set()
        for met in self._met:
            grown.add(met)  # one by one, because `set(self._met)` may have another order
        self._walked = dict.fromkeys(grown)
        self.sorted = sorted(grown, key=_type_and_value)

    def __iter__(self) -> Iterator[Label]:
        return iter(self._walked)

    def __len__(self) -> int:
        return len(self._walked)

    def __contains__(self, label: object) -> bool:
        return label in self._walked


def _type_and_value(label: Label) -> tuple[str, Label]:
    return type(label).__name__, label


class LastingClasses:
    """A mixin for River classifiers that makes their attribute `classes` a `Classes` instead of a set."""

    _met: Classes

    @property
    def classes(self) -> Classes:
        """Return the labels met so far."""
        return self._met

    @classes.setter
    def classes(self, labels: Iterable[Label]) -> None:
        self._met = Classes(labels)

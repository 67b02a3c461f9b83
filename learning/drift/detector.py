"""The interface of a drift detector."""

from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

from headrace.learning.drift.change import Change

Series = Literal["shares", "errors", "numbers", "strings"]
"""What a detector can watch: values from 0 to 1, such as the errors of classes; numbers of at least 0, such as the errors of a regression; any
finite numbers; or strings."""


class Detector(Protocol):
    """A drift detector: watches a series, such as the errors of an arm or the values of a feature, one value at a time.

    Attributes
    ----------
    name
        The name in the catalogue of detectors, which signals carry.
    takes
        The kinds of series that the detector can watch.
    """

    name: ClassVar[str]

    @property
    def takes(self) -> frozenset[Series]:
        """The kinds of series that the detector can watch."""
        ...

    def update(self, value: Any, /) -> Change | None:
        """Add one value, of a kind in `takes`; return the change if this value revealed one, or a warning of one."""
        ...


class Weight(NamedTuple):
    """The evidence of a detector at one moment: its statistic, near 0 without a change, and the threshold at which it signals."""

    statistic: float
    threshold: float


@runtime_checkable
class Weighing(Protocol):
    """A detector that can say at any time how far it is from a signal."""

    def weigh(self) -> Weight | None:
        """Compute the evidence from the values so far, and change nothing; None while there are too few values."""
        ...

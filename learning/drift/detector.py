"""The interface of a drift detector."""

from typing import Any, ClassVar, Literal, Protocol

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

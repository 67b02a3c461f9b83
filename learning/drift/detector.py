"""The interface of a drift detector."""

from typing import Protocol

from headrace.learning.drift.change import Change


class Detector(Protocol):
    """A drift detector: watches the error of an arm, one scored prediction at a time.

    Attributes
    ----------
    name
        The name in the catalogue of detectors, which `Drift` effects carry.
    """

    name: str

    def update(self, error: float) -> Change | None:
        """Add one error; return the change if this error revealed one."""
        ...

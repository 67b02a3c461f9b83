"""The base of detectors of River that warn before they signal."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from headrace.learning.drift.change import Change
from headrace.learning.drift.detector import Series


class WarningDetector(ABC):
    """A detector of errors that wraps one of River's, and warns once each time that River's enters its warning zone.

    River's detector says after each value whether it is in the zone. It starts anew with the first value after a detection.

    Parameters
    ----------
    river
        The detector of River.
    """

    takes: ClassVar[frozenset[Series]] = frozenset({"shares"})

    def __init__(self, river: Any):
        self._river = river
        self._has_warned = False

    def update(self, error: float, /) -> Change | None:
        """Add one error, 0 to 1; return the change if this error revealed one, or a warning of one."""
        river = self._river
        river.update(error)
        self._follow()
        if river.drift_detected:
            self._has_warned = False
            change = self._describe(is_warning=False)
            self._restart()
            return change
        if not river.warning_detected:
            self._has_warned = False
            return None
        if self._has_warned:
            return None
        self._has_warned = True
        return self._describe(is_warning=True)

    def _follow(self) -> None:  # noqa: B027 not every detector needs it
        """Note, after each value, what River's detector does not keep. Some keep all."""

    def _restart(self) -> None:  # noqa: B027
        """Forget what `_follow` has noted, after a detection."""

    @abstractmethod
    def _describe(self, *, is_warning: bool) -> Change:
        """Read the means on both sides of the change, and the statistic with its threshold, from River's detector."""

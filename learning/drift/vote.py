"""A vote: several detectors on one series, of which enough must agree."""

from typing import Annotated, Any, ClassVar

from msgspec import Meta

from headrace.learning.drift.change import Change
from headrace.learning.drift.detector import Detector, Series, Weight
from headrace.learning.drift.making import make_detector
from headrace.learning.parameters import Count
from headrace.learning.tags import tagged

Ballot = Annotated[list[str | dict[str, Any]], Meta(min_length=1, max_length=20)]
"""The detectors of a vote: names, or tables with `use` and parameters."""


@tagged("vote/1", _voted_at=dict[str, Annotated[int, Meta(ge=0)]])
class Vote:
    """Signals when enough of its detectors have signalled within the last values.

    A detector has one vote, however often it signals, and its warnings do not count. The change is that of the detector whose vote decided;
    the statistic is the number of votes and the threshold the number needed. After that all votes are forgotten, and each detector goes on
    as it would alone.

    Parameters
    ----------
    detectors
        The detectors: names of the catalogue, or tables with the name as `use` and parameters.
    votes
        The number of detectors that must agree.
    within
        The number of values for which a vote counts, the value of the vote included.

    Examples
    --------
    >>> detector = Vote(["adwin", {"use": "page_hinkley", "threshold": 20}])
    >>> for at in range(2000):
    ...     change = detector.update(0.1 if at < 1000 else 0.6)
    ...     if change:
    ...         print(at, round(change.before, 2), round(change.after, 2), change.statistic, change.threshold)
    ...         break
    1041 0.1 0.6 2.0 2.0
    """

    name: ClassVar[str] = "vote"

    def __init__(self, detectors: Ballot, votes: Annotated[int, Meta(ge=1, le=20)] = 2, within: Count = 1_000):
        if "vote" in (spec if isinstance(spec, str) else spec.get("use") for spec in detectors):
            raise ValueError("a vote cannot hold a vote")
        if votes > len(detectors):
            raise ValueError(f"votes is {votes}, more than the {len(detectors)} detectors")
        self.detectors = detectors
        self.votes = votes
        self.within = within
        self._members: dict[str, Detector] = {str(at): make_detector(spec) for at, spec in enumerate(detectors)}
        if not self.takes:
            raise ValueError("no series can be watched by all of its detectors")
        self._count = 0
        self._voted_at: dict[str, int] = {}  # the count of values when each member voted last

    @property
    def takes(self) -> frozenset[Series]:
        """The kinds of series that all of its detectors can watch."""
        first, *others = (member.takes for member in self._members.values())
        return first.intersection(*others)

    def update(self, value: Any, /) -> Change | None:
        """Add one value to each detector; return the change if this value decided the vote."""
        self._count += 1
        decisive: Change | None = None
        for key, member in self._members.items():
            change = member.update(value)
            if change and not change.is_warning:
                self._voted_at[key] = self._count
                decisive = decisive or change
        if decisive is None:
            return None
        valid = self._valid()
        if valid < self.votes:
            return None
        self._voted_at = {}
        return Change(
            decisive.before,
            decisive.after,
            decisive.width_before,
            decisive.width,
            float(valid),
            float(self.votes),
            is_oscillation=decisive.is_oscillation,
        )

    def weigh(self) -> Weight:
        """Return the number of votes that count now, and the number needed."""
        return Weight(float(self._valid()), float(self.votes))

    def _valid(self) -> int:
        return sum(self._count - at < self.within for at in self._voted_at.values())

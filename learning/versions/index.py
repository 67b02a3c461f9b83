"""The index of versions: which models of a shard were saved, where each comes from, and which of them are kept."""

import re
from collections.abc import Collection
from math import sqrt
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from headrace.learning.tags import Count, tagged

Reason = Literal["updates", "checkpoint", "rollback", "promote", "install", "define", "import", "reaction"]
"""Why a version was saved: enough updates, or by hand, or before the act of this name."""

Sum = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Plain = bool | int | float | str

VersionParts = tuple[
    str,
    Count,
    Count,
    Count,
    Sum,
    str | dict[str, Plain],
    dict[str, float | None],
    float | None,
    str,
    str | None,
    bool,
    str | None,
]
"""A `Version` as a plain tuple, as a snapshot may hold it."""

BETTER = 1.1
"""A version is good if its recent error is at most ten per cent above that of the best one, or within its noise."""

NOISE = 2.0
"""Standard deviations of a share of wrong classes that are taken for noise."""

ENOUGH = 30
"""A recent error is taken from so many predictions, or from none: a model that has been right ten times is not the best one yet."""

FOUND = ("best", "last_good", "previous")
"""The words by which a version is found in every shard, in place of an id."""

ID = re.compile(r"v[0-9]{1,19}-([0-9]{1,9})-[0-9]{1,19}(-[0-9]{1,9})?")

RECENT = 1_000
"""The predictions of which the recent error is a share."""


def shard_of(version: str) -> int | None:
    """Return the shard that an id names; None for what is no id.

    Examples
    --------
    >>> shard_of("v500-2-1234"), shard_of("best")
    (2, None)
    """
    match = ID.fullmatch(version)
    return int(match[1]) if match else None


@tagged("version/2")
class Version(NamedTuple):
    """A model that was saved.

    Parameters
    ----------
    id
        `v<updates>-<partition>-<position>`, unique among the versions of a task.
    position
        The offset of the message in which it was saved.
    updates
        Labels that it had learned.
    time
        Log time in milliseconds.
    digest
        SHA-256 of the model's encoding, under which its bytes are kept.
    model
        What it was made of, as in the task's `model`.
    metrics
        Those of its last predictions, at most 1,000, when it was saved.
    error
        The error of these predictions: 1 - accuracy, or the mean absolute error; None before it has made 30.
    reason
        Why it was saved.
    parent
        The id of the version that it comes from, or None.
    pinned
        Whether it is kept for good.
    replaces
        The id of the version in whose place its model was put, by a promotion for example; None if it only learned on from its parent.
    """

    id: str
    position: int
    updates: int
    time: int
    digest: str
    model: Any
    metrics: dict[str, float | None]
    error: float | None
    reason: Reason
    parent: str | None
    pinned: bool = False
    replaces: str | None = None


@tagged("versions/2", saved=dict[str, VersionParts])
class VersionIndex:
    """What the state carries of the versions: one entry each, the oldest first.

    Attributes
    ----------
    saved
        Id to version.
    since
        Labels that the champion had learned when it was last saved or replaced.
    """

    def __init__(self) -> None:
        self.saved: dict[str, Version] = {}
        self.since = 0

    @property
    def digests(self) -> frozenset[str]:
        """The digests of the models of all versions that are kept."""
        return frozenset(version.digest for version in self.saved.values())

    def add(self, version: Version) -> None:
        """Add a version; one of the same id is the same one, and stays."""
        self.saved.setdefault(version.id, version)

    def pin(self, name: str, *, pinned: bool) -> None:
        """Keep a version for good, or no longer; KeyError if there is none."""
        self.saved[name] = self.saved[name]._replace(pinned=pinned)

    def scored(self) -> list[Version]:
        """List the versions that have a recent error, without those that a rollback replaced.

        A model that has learned flipped labels makes few errors while the labels are flipped, so its error says nothing.
        """
        return [
            version for version in self.saved.values() if version.error is not None and version.reason != "rollback"
        ]

    def best(self) -> Version | None:
        """Find the version with the lowest recent error, the newest of equal ones."""
        return min(reversed(self.scored()), key=lambda version: version.error, default=None)

    def last_good(self) -> Version | None:
        """Find the newest version whose recent error is at most `BETTER` times that of the best one, or not above it by more than noise."""
        best = self.best()
        if best is None or best.error is None:
            return None
        noise = NOISE * sqrt(best.error / RECENT) if "accuracy" in best.metrics else 0.0
        limit = max(best.error * BETTER, best.error + noise)
        return [one for one in self.scored() if one.error is not None and one.error <= limit][-1]

    def retain(self, keep: int, held: Collection[str | None]) -> list[Version]:
        """Drop the oldest versions beyond `keep`; never one that is pinned, held, or the last good one.

        Parameters
        ----------
        keep
            How many stay beside those that are pinned.
        held
            Ids that must stay: of the version that the champion comes from.

        Returns
        -------
        Those that were dropped.

        Examples
        --------
        >>> index = VersionIndex()
        >>> for number in range(4):
        ...     version = Version(f"v{number}", number, number, 0, "", "alma", {}, 0.5 - number / 10, "updates", None)
        ...     index.add(version)
        >>> index.pin("v0", pinned=True)
        >>> [version.id for version in index.retain(keep=2, held={"v1"})]
        ['v2']
        >>> list(index.saved)
        ['v0', 'v1', 'v3']
        """
        good = self.last_good()
        held = {*held, good.id if good else None}
        free = [version for version in self.saved.values() if not version.pinned]
        surplus = len(free) - keep
        dropped = [version for version in free if version.id not in held][: max(surplus, 0)]
        for version in dropped:
            del self.saved[version.id]
        return dropped

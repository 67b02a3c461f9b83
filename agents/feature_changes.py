"""Feature changes: notices that a feature comes no more, is new, or has another type, as after a change of a sender's schema."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import msgspec

from headrace.learning.task import Value

ENOUGH = 50
"""The samples with a feature before anything is said of it: fewer prove no habit."""

AGAIN = 20
"""The samples in a row that a change must last."""

USUAL = 0.9
"""The share of samples in which a feature must be for its absence to mean anything: many features are rare by nature."""

RECENT = 100_000
"""The samples for which a change is told. Later it is no news."""

FEATURES_MAX = 1_000
"""The most features that are followed; further ones are passed over."""

Type = Literal["a number", "a string", "true or false"]

ChangeKind = Literal["gone", "new", "type"]
"""A feature comes no more, has come, or its values have another type."""


class FeatureChange(msgspec.Struct, frozen=True):
    """A change of the features of a shard's samples.

    Parameters
    ----------
    feature
        The name of the feature.
    kind
        `gone`: it comes no more. `new`: it has come. `type`: its values have another type.
    since
        The log time of the change, in seconds since the epoch.
    text
        What has changed, for people.
    """

    feature: str
    kind: ChangeKind
    since: float
    text: str


@dataclass
class _Seen:
    """What is known of one feature; places are the numbers of samples, and times are log time in milliseconds."""

    first: int
    begun: int
    count: int = 0
    last: int = 0
    ended: int = 0
    types: list[tuple[Type, int, int, int]] = field(default_factory=list)  # type, samples, first sample, its time

    def is_usual(self, end: int) -> bool:
        return self.count >= USUAL * (end - self.first)


class FeatureChanges:
    """Follows the features of the samples that one worker has folded, since it opened the shard.

    It is no part of the state: nothing of the fold depends on it, and another worker begins anew.

    Examples
    --------
    >>> changes = FeatureChanges()
    >>> changes.look([{"seconds": 3.0, "price": 1}] * 60, clock=1_767_225_600_000)
    >>> changes.look([{"secs": 3.0, "price": "1"}] * 60, clock=1_767_225_660_000)
    >>> for change in changes.find():
    ...     print(change.text)
    'seconds' was in 100 % of the samples, and comes no more since 2026-01-01 00:00:00 UTC
    'price' is a string since 2026-01-01 00:01:00 UTC, and was a number
    'secs' is new since 2026-01-01 00:01:00 UTC, when 'seconds' ceased to come
    """

    def __init__(self) -> None:
        self.looked_at = 0
        self._seen: dict[str, _Seen] = {}

    def look(self, samples: Sequence[Mapping[str, Value]], clock: int) -> None:
        """Look at samples that were folded at a log time, in milliseconds."""
        seen = self._seen
        for features in samples:
            at = self.looked_at
            self.looked_at += 1
            for name, value in features.items():
                one = seen.get(name)
                if one is None:
                    if len(seen) >= FEATURES_MAX:
                        continue
                    one = seen[name] = _Seen(at, clock)
                one.count += 1
                one.last, one.ended = at, clock
                kind: Type = (
                    "a string" if type(value) is str else "true or false" if type(value) is bool else "a number"
                )
                if one.types and one.types[-1][0] == kind:
                    _, count, first, time = one.types[-1]
                    one.types[-1] = kind, count + 1, first, time
                else:
                    one.types = [*one.types[-1:], (kind, 1, at, clock)]

    def find(self) -> Iterator[FeatureChange]:
        """Yield the recent changes that still hold, in the order in which the features first came."""
        oldest = self.looked_at - RECENT
        gone: dict[int, str] = {}
        for name, one in self._seen.items():
            quiet = self.looked_at - one.last - 1
            if one.count >= ENOUGH and AGAIN <= quiet < RECENT and one.is_usual(one.last + 1):
                gone[one.last + 1] = name
                share = one.count / (one.last + 1 - one.first)
                text = f"'{name}' was in {share:.0%} of the samples, and comes no more since {_when(one.ended)}"
                yield FeatureChange(name, "gone", one.ended / 1000, text.replace("%", " %"))
            elif one.first >= max(ENOUGH, oldest) and one.count >= AGAIN and one.is_usual(self.looked_at):
                before = next((other for place, other in gone.items() if abs(place - one.first) <= AGAIN), None)
                text = f"'{name}' is new since {_when(one.begun)}"
                text += f", when '{before}' ceased to come" if before else ""
                yield FeatureChange(name, "new", one.begun / 1000, text)
            elif len(one.types) > 1 and one.types[0][1] >= ENOUGH and one.types[1][1] >= AGAIN:
                (before_type, *_), (now, _, first, time) = one.types
                if first < oldest:
                    continue
                text = f"'{name}' is {now} since {_when(time)}, and was {before_type}"
                yield FeatureChange(name, "type", time / 1000, text)


def _when(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"

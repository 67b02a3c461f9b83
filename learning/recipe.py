"""A recipe: how a model follows from the log, so that it can be made again whenever its bytes are lost."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta

from headrace.learning.records import Record

Offset = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Seconds = Annotated[float, Meta(ge=0, le=253_402_300_799)]
LEFT_OUT_MAX = 10_000
"""The most ids, ranges, sources and periods that a recipe leaves out."""


LEFT_OUT_BYTES = 700 << 10
"""The most bytes of what a recipe leaves out, as JSON: the recipe stands in a message, and a broker takes messages of a million."""


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Offsets from `start` up to but not including `end`."""

    start: Offset
    end: Offset


class Period(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times from `start` up to but not including `end`, in seconds since the epoch."""

    start: Seconds
    end: Seconds


class Without(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The records that a recipe leaves out: those that any of its parts covers.

    Parameters
    ----------
    ids
        The ids of samples, or of questions and their labels.
    positions
        Ranges of offsets.
    sources
        Topics of a team's own from which records came, `topic`, or partitions of them, `topic/partition`.
    times
        Periods of the records' event time; of a record that has none, of its message's timestamp.
    """

    ids: Annotated[list[str], Meta(max_length=LEFT_OUT_MAX)] = []
    positions: Annotated[list[Range], Meta(max_length=LEFT_OUT_MAX)] = []
    sources: Annotated[list[str], Meta(max_length=LEFT_OUT_MAX)] = []
    times: Annotated[list[Period], Meta(max_length=LEFT_OUT_MAX)] = []

    @property
    def size(self) -> int:
        """The number of ids, ranges, sources and periods."""
        return len(self.ids) + len(self.positions) + len(self.sources) + len(self.times)

    def and_also(self, other: "Without | None") -> "Without":
        """Leave out what either of two leaves out.

        Examples
        --------
        >>> Without(ids=["a"]).and_also(Without(ids=["b", "a"])).ids
        ['a', 'b']
        """
        if other is None:
            return self
        return Without(
            ids=list(dict.fromkeys(self.ids + other.ids)),
            positions=_unite(self.positions, other.positions),
            sources=list(dict.fromkeys(self.sources + other.sources)),
            times=_unite(self.times, other.times),
        )


decode_without = msgspec.json.Decoder(Without).decode


class Cover:
    """Tells quickly whether a record is left out.

    Parameters
    ----------
    without
        What is left out.

    Examples
    --------
    >>> cover = Cover(Without(ids=["a"], positions=[Range(5, 7)]))
    >>> cover.has(Record(id="a"), 0, 0), cover.has(Record(id="b"), 6, 0), cover.has(Record(id="b"), 7, 0)
    (True, True, False)
    """

    def __init__(self, without: Without):
        self.ids, self.sources = frozenset(without.ids), frozenset(without.sources)
        self.positions, self.times = _unite(without.positions, []), _unite(without.times, [])

    def has(self, record: Record, offset: int, timestamp: int) -> bool:
        """Tell whether a record is left out, by itself, or by the offset or the Kafka timestamp in milliseconds of its message."""
        if record.id is not UNSET and record.id in self.ids:
            return True
        if _is_in(self.positions, offset):
            return True
        if self.sources and record.source is not UNSET:
            topic, partition, *_ = record.source.split("/")
            if topic in self.sources or f"{topic}/{partition}" in self.sources:
                return True
        return _is_in(self.times, timestamp / 1000 if record.time is UNSET else record.time)


Span = TypeVar("Span", Range, Period)


def _unite(some: list[Span], others: list[Span]) -> list[Span]:
    """Unite spans, so that none overlaps or touches another, in their order.

    Examples
    --------
    >>> _unite([Range(5, 7), Range(1, 2)], [Range(7, 9), Range(6, 6)])
    [Range(start=1, end=2), Range(start=5, end=9)]
    """
    spans = sorted(some + others, key=lambda one: one.start)
    united: list[Span] = []
    for span in spans:
        if span.start >= span.end:
            continue
        if united and span.start <= united[-1].end:
            united[-1] = msgspec.structs.replace(united[-1], end=max(span.end, united[-1].end))
        else:
            united.append(span)
    return united


def _is_in(united: Sequence[Range] | Sequence[Period], value: float) -> bool:
    """Tell whether a value is in one of the united spans."""
    at = bisect_right(united, value, key=lambda one: one.start)
    return at > 0 and value < united[at - 1].end


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model follows from the records of one shard, up to the position of the control record that installs it.

    A `warm_start` goes over a range several times, and then once over what has come after it: a batch first, and online from there on. A
    `retrain` goes over all that was there when it was asked for.

    The records are folded by the definition that is in force there, as if it had been so from `start` on. Control records among them have no
    effect: the model is the one of a log in which nobody has ever gone back, promoted or retrained. Only a model that was installed from
    elsewhere, such as a history's, is what `unlearn` and `migrate` go on from. What was unlearned once is left out by every later job too.

    Parameters
    ----------
    why
        Which job makes it.
    start
        The first offset that is folded.
    passes
        How often the records are folded, one time after the other, with the model of the time before.
    repeat_to
        The offset at which every pass but the last ends; left out, where the last one ends.
    without
        The records that are left out.
    """

    why: Literal["retrain", "warm_start", "unlearn", "migrate"] = "retrain"
    start: Offset = 0
    passes: Annotated[int, Meta(ge=1, le=1_000)] = 1
    repeat_to: Offset | None = None
    without: Without | None = None

    @property
    def begins_empty(self) -> bool:
        """Whether the model knows nothing but what it learns from the log, also where the shard's was installed from elsewhere."""
        return self.why in ("retrain", "warm_start")


def find_fault(recipe: Recipe) -> str:
    """Say what is wrong with a recipe for what it is to make; empty if nothing is.

    Examples
    --------
    >>> find_fault(Recipe(why="unlearn"))
    'unlearn needs what to leave out: ids, positions, sources or times.'
    >>> find_fault(Recipe(why="retrain", passes=3))
    ''
    >>> find_fault(Recipe(why="warm_start", start=500, repeat_to=500))
    'the range from 500 up to 500 has no record.'
    """
    if recipe.repeat_to is not None and recipe.repeat_to <= recipe.start:
        return f"the range from {recipe.start} up to {recipe.repeat_to} has no record."
    if recipe.begins_empty:
        return "" if recipe.without is None else "a model that leaves out records is made by unlearn."
    if (recipe.start, recipe.passes) != (0, 1):
        return f"{recipe.why} folds the whole log once."
    has_some = recipe.without is not None and recipe.without.size > 0
    if recipe.why == "unlearn":
        return "" if has_some else "unlearn needs what to leave out: ids, positions, sources or times."
    return "migrate folds the whole log once, as it is." if has_some else ""

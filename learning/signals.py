"""A signal: what a detector or a guard has noticed, and what was done about it."""

from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from headrace.learning.tags import Count, tagged

Direction = Literal["worse", "better", "changed"]

SignalKind = Literal["drift", "oscillation", "warning", "guard", "experiment"]

SIGNALS_MAX = 1_000
"""The last signals of a shard that its state keeps."""

SignalParts = tuple[
    Annotated[str, Meta(max_length=512)],
    Count,
    SignalKind,
    str | None,
    str,
    str,
    Direction,
    float,
    float,
    Count,
    Count,
    str,
    str | None,
    Count,
]
"""A `Signal` as a plain tuple, as a snapshot may hold it."""


class Notice(NamedTuple):
    """What a detector or a guard has noticed at the current record, before anything is done about it.

    Parameters
    ----------
    arm
        The arm that it is about; None where it is about the records themselves.
    detector
        The name of the detector or the guard; `experiment` for the verdict of one.
    watched
        `error`, `score`, `label_rate` or `feature:NAME`.
    direction
        `worse` or `better` for an error, `changed` for anything else.
    before, after, width_before, width
        As for `headrace.learning.drift.Change`.
    statistic, threshold
        What was computed, and the bound that it passed; None where the detector tells none.
    kind
        `drift`; `oscillation`; a `warning` of either; `guard`; or `experiment`, the verdict of one.
    """

    arm: str | None
    detector: str
    watched: str
    direction: Direction
    before: float
    after: float
    width_before: int
    width: int
    statistic: float | None
    threshold: float | None
    kind: SignalKind


@tagged("signal/1")
class Signal(NamedTuple):
    """A notice as it is kept: with its id, its place in the log, and what was done about it.

    Parameters
    ----------
    id
        `<task>/<partition>/<offset>/<row>/<n>`, as of the effect that tells of it.
    position
        The offset of the message at which it was noticed.
    kind, arm, detector, watched, direction, before, after, width_before, width
        As for `Notice`.
    action
        What was done about it, in words.
    advised
        The name of the reaction that waits for an operator's `react`; None if none does.
    time
        Log time in milliseconds.
    """

    id: str
    position: int
    kind: SignalKind
    arm: str | None
    detector: str
    watched: str
    direction: Direction
    before: float
    after: float
    width_before: int
    width: int
    action: str
    advised: str | None
    time: int

    @classmethod
    def of(cls, notice: Notice, name: str, position: int, time: int) -> "Signal":
        """Make the signal of a notice, about which nothing was done yet."""
        fields = notice._asdict()
        del fields["statistic"], fields["threshold"]
        return cls(id=name, position=position, action="", advised=None, time=time, **fields)

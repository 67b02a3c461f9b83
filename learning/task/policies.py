"""What a task does about a changing world: the tables `guard` and `rehearsal`, and the rows of `detectors` and `reactions`."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from headrace.learning.task.duration import seconds

Plain = bool | int | float | str
Row = dict[str, Plain | list[Plain | dict[str, Plain]]]
"""One of `detectors` or `reactions`: a name as `use` or `do`, what it goes by, and parameters."""

Mode = Literal["shadow", "recommend", "auto"]
"""What becomes of a reaction: it is only reported; it waits for an operator's `react`; or it is carried out at once."""

DETECTORS: tuple[Row, ...] = ({"use": "adwin"}, {"use": "evidence"})
REACTIONS: tuple[Row, ...] = ({"do": "hold"}, {"do": "alert"})


class LabelRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When the labels themselves are no longer to be trusted: a breaker.

    Parameters
    ----------
    short
        The number of last labels that are compared with all before them.
    bound
        How far the shares of the labels may depart: half the sum of the absolute differences, 0 to 1. For a regression: the difference of
        the means, in standard deviations of the labels before.
    wait
        How long a shard that the breaker has paused waits for a `resume` before its owner writes one.
    """

    short: Annotated[int, Meta(ge=20, le=100_000)] = 500
    bound: Annotated[float, Meta(gt=0, le=100)] = 0.3
    wait: Annotated[str, Meta(max_length=40)] | Annotated[float, Meta(ge=0)] = "10m"

    def __post_init__(self) -> None:
        seconds(self.wait)


class Outlier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which samples are too strange to be learned: those with a number far from the usual ones of its feature.

    Parameters
    ----------
    bound
        How far: the distance from the median, in standard deviations as the quartiles tell them; for a feature whose numbers repeat, such as
        a flag or a small count, in the largest distance so far if that is more.
    after
        The numbers of a feature that are only looked at.
    """

    bound: Annotated[float, Meta(gt=0, le=1e9)] = 10.0
    after: Annotated[int, Meta(ge=100, le=10**9)] = 1_000


class Guard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What watches whether the champion is still worth its role, and whether what it learns can be trusted.

    Parameters
    ----------
    against
        What the champion is compared with: `"last_good"`, its last good version, which learns no more; and `"baselines"`, which answer with
        the last label and with the most frequent one (for a regression: the mean). An empty list: with nothing.
    loss
        What is compared: `"zero_one"`, `"brier"` or `"log"` (which is cut off at the loss of the probability 0.001) for classes;
        `"absolute"` for a regression (cut off at four times the mean error). Left out: `"zero_one"` or `"absolute"`.
    alpha
        The chance of a false alarm within 20,000 labels, of which one in `every` is compared; above 0 and below 1.
    margin
        By how much the mean loss of the champion may be above that of what it is compared with, 0 to 1.
    every
        Of so many labels, one is compared: the frozen model has to predict for each of them.
    mode
        What an alarm leads to, a rollback or a pause: see `reactions`.
    label_rate
        The breaker that pauses learning while the labels come in other shares than before; false: none.
    outlier
        What keeps strange samples from the model; false: nothing.
    """

    against: list[Literal["last_good", "baselines"]] = msgspec.field(default_factory=lambda: ["last_good", "baselines"])
    loss: Literal["zero_one", "brier", "log", "absolute"] | None = None
    alpha: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    margin: Annotated[float, Meta(ge=0, lt=1)] = 0.02
    every: Annotated[int, Meta(ge=1, le=1_000)] = 8
    mode: Mode = "recommend"
    label_rate: LabelRate | bool = LabelRate()
    outlier: Outlier | bool = False

    def __post_init__(self) -> None:
        if self.label_rate is True:
            msgspec.structs.force_setattr(self, "label_rate", LabelRate())
        if self.outlier is True:
            msgspec.structs.force_setattr(self, "outlier", Outlier())


class Rehearsal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Past samples that are learned again beside new ones, against forgetting.

    Parameters
    ----------
    size
        Samples that are kept: each one of the past is as likely to be among them.
    ratio
        Kept samples that are learned again for each new one.
    """

    size: Annotated[int, Meta(ge=1, le=10_000)] = 200
    ratio: Annotated[float, Meta(gt=0, le=10)] = 1.0

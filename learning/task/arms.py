"""The arms of a task other than its champion, the experiments that compare them, and the threshold of a decision."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from headrace.learning.task.policies import Plain

Kind = Literal["binary", "multiclass", "regression", "anomaly"]

ArmName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}\Z", examples=["batch"])]

CHAMPION = "champion"
NEXT = "next"
BACKGROUND = "background"
LAST_GOOD = "last_good"

RESERVED = (CHAMPION, NEXT, BACKGROUND, LAST_GOOD)
"""The names of arms that come and go by themselves: what is served, a changed model, the challenger of a reaction, the last good version."""

BASELINES: dict[Kind, tuple[str, ...]] = {
    "binary": ("no_change", "majority"),
    "multiclass": ("no_change", "majority"),
    "regression": ("no_change", "mean"),
    "anomaly": (),
}
"""The baselines of each kind of task. The name of each is that of its model too."""

ARMS_MAX = 20

Loss = Literal["zero_one", "brier", "log", "absolute"]


class ArmSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `arms.NAME`: a model that folds the same records as the champion, and is scored on them.

    Parameters
    ----------
    model
        A model that learns, as the task's `model`: a challenger.
    version
        A saved version that learns no more: an id, `best`, `last_good` or `previous`. It is looked up when the change of the settings is
        applied; a shard that has no such version has no such arm.
    onnx
        A batch model that learns no more, as a file in the format of ONNX beside `headrace.toml`.
    """

    model: str | dict[str, Plain] | None = None
    version: Annotated[str, Meta(max_length=256)] | None = None
    onnx: Annotated[str, Meta(max_length=1024)] | None = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.model, self.version, self.onnx)) != 1:
            raise ValueError("an arm has one of model, version and onnx")
        if isinstance(self.model, dict):  # the order of its keys must not be seen in a state
            msgspec.structs.force_setattr(self, "model", dict(sorted(self.model.items())))


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of `experiments`: two arms whose losses are compared label by label.

    Parameters
    ----------
    b
        The name of an arm.
    a
        The name of the arm with which it is compared.
    loss
        As in `guard`. Left out: `"zero_one"`, or `"absolute"` for a regression.
    alpha
        The chance that the experiment ever says that one arm is better by more than `margin` although it is not; above 0 and below 1.
    margin
        The difference of the mean losses, 0 to 1, below which it does not matter which arm is better.
    budget
        The labels after which the experiment ends without a winner.
    promote
        What happens when `a` is the champion and `b` is better: `"hand"`, an alert recommends to promote it; `"auto"`, it takes the champion's
        place at once.
    """

    b: ArmName
    a: ArmName = CHAMPION
    loss: Loss | None = None
    alpha: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    margin: Annotated[float, Meta(ge=0, lt=1)] = 0.005
    budget: Annotated[int, Meta(ge=100, le=10**9)] = 100_000
    promote: Literal["hand", "auto"] = "hand"

    def __post_init__(self) -> None:
        if self.a == self.b:
            raise ValueError(f"an experiment compares two arms, and a and b are both '{self.a}'")


class Threshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `threshold`: what the probability or the score from which on true is predicted must meet, on what came so far.

    Parameters
    ----------
    precision
        The share of right ones among the predictions of true, at least; of the thresholds that meet it, that with the most true labels found.
    false_positive
        What a wrong prediction of true costs. With `false_negative`; the threshold has the lowest cost.
    false_negative
        What a wrong prediction of false costs.
    quantile
        For anomalies, and without labels: the share of records that are not flagged. The threshold is the quantile of the last
        5,000 scores, so that with 0.99 one record in a hundred is flagged.
    """

    precision: Annotated[float, Meta(gt=0, lt=1)] | None = None
    false_positive: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    false_negative: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    quantile: Annotated[float, Meta(ge=0.5, le=0.999)] | None = None

    def __post_init__(self) -> None:
        given = {name for name in self.__struct_fields__ if getattr(self, name) is not None}
        if given not in ({"precision"}, {"quantile"}, {"false_positive", "false_negative"}):
            raise ValueError("threshold has one of precision, quantile, and false_positive with false_negative")


def check_arms(
    kind: Kind,
    arms: dict[str, ArmSettings | bool],
    experiments: list[Experiment],
    threshold: float | Threshold | None,
) -> None:
    """Raise ValueError unless these tables fit a kind of task, and each other.

    Examples
    --------
    >>> check_arms("binary", {"batch": ArmSettings(onnx="batch.onnx")}, [Experiment(b="batch")], None)
    >>> check_arms("binary", {}, [Experiment(b="batch")], None)
    Traceback (most recent call last):
    ...
    ValueError: an experiment names the arm 'batch', which the task has not. It has champion, next, no_change, majority
    """
    for name, arm in arms.items():
        if name in RESERVED:
            raise ValueError(f"'{name}' is the name of an arm that comes and goes by itself: use another one")
        if isinstance(arm, bool):
            if arm or name not in BASELINES[kind]:
                raise ValueError(f"arms.{name} is {str(arm).lower()}: only a baseline can be left out, by false")
        elif name in BASELINES[kind]:
            raise ValueError(f"'{name}' is a baseline: leave it out by false, and give your arm another name")
    known = [CHAMPION, NEXT, *baselines(kind, arms), *(name for name, arm in arms.items() if not isinstance(arm, bool))]
    for row in experiments:
        for name in (row.a, row.b):
            if name not in known:
                raise ValueError(
                    f"an experiment names the arm '{name}', which the task has not. It has {', '.join(known)}"
                )
        if row.loss is not None and (row.loss == "absolute") != (kind == "regression"):
            raise ValueError(f"an experiment's loss = '{row.loss}' is not for {kind} tasks")
    pairs = [(row.a, row.b) for row in experiments]
    if len(set(pairs)) < len(pairs):
        raise ValueError("two experiments compare the same arms")
    if threshold is not None and kind not in ("binary", "anomaly"):
        raise ValueError(f"threshold is not for {kind} tasks")
    if isinstance(threshold, Threshold) and threshold.quantile is not None and kind != "anomaly":
        raise ValueError(f"threshold.quantile is not for {kind} tasks: use precision, or costs")


def baselines(kind: Kind, arms: dict[str, ArmSettings | bool]) -> list[str]:
    """List the baselines that a task has not left out."""
    return [name for name in BASELINES[kind] if name not in arms]

"""A task: one supervised problem, as `headrace.toml` declares it."""

import hashlib
from typing import Annotated, Literal

import msgspec

from headrace.learning.task.duration import seconds
from headrace.learning.task.source import Source

Kind = Literal["binary", "multiclass", "regression"]
Value = bool | int | float | str
Label = bool | int | float | str


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The declared type and range of one feature.

    Parameters
    ----------
    type
        `"float"` takes any number.
    min
        The smallest value of a `"float"` or `"int"` that is taken.
    max
        The largest one.
    values
        The strings that are taken; left out, any.
    optional
        Whether a record may leave the feature out.
    """

    type: Literal["float", "int", "bool", "string"] = "float"
    min: float | None = None
    max: float | None = None
    values: list[str] | None = None
    optional: bool = False


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A feature that is looked up in the feature store.

    Parameters
    ----------
    default
        Stands in where the store has no value, or is down, slow or wrong. Left out, the feature is left out then.
    """

    default: Value | None = None


BATCH_MAX = 10_000
"""Labels that are collected at most before they are learned."""

LABELS_MAX = 1_000
"""Labels that a multiclass task may have, declared or met."""

Duration = Annotated[str, msgspec.Meta(max_length=40)] | Annotated[float, msgspec.Meta(ge=0)]


class Update(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When labels are learned: `batch` of them together, or after `every`, whichever is first.

    Parameters
    ----------
    batch
        Labels that are learned together.
    every
        Log time that the first label of a batch waits at most.
    gradient
        `"each"`: one step a label, in order. `"mean"`, for `online_linear` alone: one step along the mean of their gradients.
    """

    batch: Annotated[int, msgspec.Meta(ge=1, le=BATCH_MAX)] | None = None
    every: Duration | None = None
    gradient: Literal["each", "mean"] = "each"

    def __post_init__(self) -> None:
        if self.batch is None and self.every is None:
            raise ValueError("update needs batch or every, or both")
        if self.every is not None and seconds(self.every) == 0:
            raise ValueError("every must be above 0")

    @property
    def every_ms(self) -> int | None:
        """Log milliseconds that the first label of a batch waits at most."""
        return None if self.every is None else milliseconds(self.every)


class Unanswered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to learn from a question whose label did not come: one of the two.

    Parameters
    ----------
    assume
        The label that is learned in its place.
    self_train
        The least probability that the champion must have given to its answer, which is learned then; not for a regression.
    """

    assume: Label | None = None
    self_train: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None

    def __post_init__(self) -> None:
        if (self.assume is None) == (self.self_train is None):
            raise ValueError("unanswered is 'drop', or has one of assume and self_train")


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One supervised problem.

    Parameters
    ----------
    name
        Names the topics `<name>.events`, `<name>.predictions`, ...
    kind
        `"binary"` (labels true and false), `"multiclass"` (strings or whole numbers) or `"regression"` (finite numbers).
    model
        A catalogue name; a table `{ use = NAME, ... }` with parameters; or `"module:function"`. Left out: `logistic`, `softmax` or
        `linear`, by kind.
    partitions
        Shards. Each has a model of its own that sees its records only. Must be what the event log has; see "Change a task" in
        docs/how-to/change-a-task.md.
    features
        What a sample may hold. Left out: any name with a number, a string or a boolean.
    labels
        `"multiclass"` only: the labels allowed, all strings or all whole numbers, up to 1,000. Left out, the type of a shard's first label
        is that of all, and others are quarantined: JSON has one key for 1 and "1". So are labels beyond the first 1,000 of a shard.
    feature_limit
        Features that a record or a question may have, where `features` does not say which.
    name_limit
        Names that a shard learns: of features, and of each value of a string feature. A sample with a new one is quarantined then; those
        with known names are learned on.
    predictions
        Whether the prediction made for each sample and question is published to `<task>.predictions`, and what became of each question.
    wait
        How long a question waits for its label, and a label for its question, in log time.
    unanswered
        What happens to a question whose label does not come: `"drop"`, `{ assume = LABEL }`, or `{ self_train = PROBABILITY }`.
    order
        `"arrival"`: records are folded as they stand in the log. `"event_time"`: in the order of their `time`.
    lateness
        For `"event_time"`: how long a record waits for earlier ones.
    late
        For `"event_time"`: what becomes of a record that comes later than that, or whose time lies so far ahead of the log's: `"learn"` at
        once, or `"quarantine"`.
    update
        When labels are learned: `{ batch = 32 }`, `{ every = "5s" }`, or both. Left out: each at once.
    stored
        Features to look up by the entity's key, unless they come with the question. Needs no change of the model: what was looked up is
        frozen into the records.
    sources
        Topics of your own that are brought into the event log: see "Learn from your own topic" in docs/how-to/own-topic.md.

    Examples
    --------
    >>> task = Task(name="phishing", kind="binary")
    >>> task.model, task.partitions, task.events
    ('logistic', 1, 'phishing.events')
    >>> task.fingerprint == Task(name="phishing", kind="binary", model="alma").fingerprint
    False
    """

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}\Z")]
    kind: Kind
    model: str | dict[str, bool | int | float | str] = ""
    partitions: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1
    features: dict[str, Feature] | None = None
    labels: Annotated[list[str | int], msgspec.Meta(max_length=LABELS_MAX)] | None = None
    feature_limit: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    name_limit: Annotated[int, msgspec.Meta(ge=1)] = 1_000_000
    predictions: bool = False
    wait: Duration = "7d"
    unanswered: Literal["drop"] | Unanswered = "drop"
    order: Literal["arrival", "event_time"] = "arrival"
    lateness: Duration = "10s"
    late: Literal["learn", "quarantine"] = "learn"
    update: Update | None = None
    stored: dict[str, Stored] | None = None
    sources: list[Source] | None = None

    def __post_init__(self) -> None:
        if self.wait_ms == 0:
            raise ValueError("wait must be above 0")
        seconds(self.lateness)
        if self.update and self.update.gradient == "mean" and self.model_name != "online_linear":
            raise ValueError("gradient = 'mean' is for the model online_linear alone")
        if len(set(map(type, self.labels or ()))) > 1:
            raise ValueError("labels has strings and whole numbers, and 1 and '1' have one key in JSON: use one type")
        if isinstance(self.unanswered, Unanswered):
            if self.unanswered.assume is not None:
                self._check_assumed(self.unanswered.assume)
            elif self.kind == "regression":
                raise ValueError("self_train is not for regression: there is no probability to go by")
        if self.model == "":
            default = {"binary": "logistic", "multiclass": "softmax", "regression": "linear"}[self.kind]
            msgspec.structs.force_setattr(self, "model", default)

    @property
    def events(self) -> str:
        """The event log's topic."""
        return f"{self.name}.events"

    @property
    def requests(self) -> str:
        """The topic of questions that are asked over Kafka."""
        return f"{self.name}.requests"

    @property
    def wait_ms(self) -> int:
        """Log milliseconds that a question waits for its label."""
        return milliseconds(self.wait)

    @property
    def lateness_ms(self) -> int:
        """Milliseconds that a record waits for earlier ones."""
        return milliseconds(self.lateness)

    @property
    def modules(self) -> tuple[str, ...]:
        """The module of the model, where it is one of the user's own: what it defines may be in the state."""
        module, imported, _ = self.model_name.partition(":")
        return (module,) if imported else ()

    @property
    def model_name(self) -> str:
        """The catalogue name or `module:function` of the champion."""
        return self.model if isinstance(self.model, str) else str(self.model.get("use", ""))

    @property
    def fingerprint(self) -> str:
        """SHA-256, as hex, of everything that decides how this task folds.

        Partitions, publishing and sources do not; nor does what is stored, since it is frozen into the records before they are folded.
        """
        update = self.update and (self.update.batch, self.update.every_ms, self.update.gradient)
        order = None if self.order == "arrival" else (self.lateness_ms, self.late)
        limits = self.feature_limit, self.name_limit
        decides = {"kind": self.kind, "model": self.model, "features": self.features, "labels": self.labels, "limits": limits,
                   "wait": self.wait_ms, "unanswered": self.unanswered, "order": order, "update": update}  # fmt: skip
        return hashlib.sha256(msgspec.json.encode(decides, order="sorted")).hexdigest()

    def _check_assumed(self, label: Label) -> None:
        fits = {
            "binary": type(label) is bool,
            "multiclass": type(label) in (str, int) and (self.labels is None or label in self.labels),
            "regression": type(label) in (int, float),
        }[self.kind]
        if not fits:
            raise ValueError(f"assume is {label!r}, which is no label of this task")


def milliseconds(duration: str | float) -> int:
    """Whole milliseconds of a duration.

    Examples
    --------
    >>> milliseconds("1.5s")
    1500
    """
    return round(seconds(duration) * 1000)

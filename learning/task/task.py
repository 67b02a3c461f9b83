"""A task: one problem to learn, as `headrace.toml` declares it."""

from typing import Annotated, Any, Literal

import msgspec

from headrace.learning.task.arms import ARMS_MAX, ArmName, ArmSettings, Experiment, Threshold, check_arms
from headrace.learning.task.classes import COSTS_MAX, Cost, Weights, find_cost_fault, find_weight_fault
from headrace.learning.task.columns import Columns
from headrace.learning.task.duration import seconds
from headrace.learning.task.features import CROSSES_MAX, Cross, Feature, find_clash, with_steps
from headrace.learning.task.policies import DETECTORS, REACTIONS, Guard, LabelRate, Rehearsal, Row
from headrace.learning.task.source import Source
from headrace.learning.task.unlabelled import UNFIT, USUAL, find_unfit, usual

Kind = Literal["binary", "multiclass", "regression", "anomaly"]
Value = bool | int | float | str
Label = bool | int | float | str

Role = Literal["champion", "challenger", "baseline", "frozen"]
"""What an arm is for: its predictions are served, it may take their place, it is a measure for the others, or it learns no more."""

Json = Any
"""A value that is read from JSON or written as JSON."""


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A feature that is looked up in the feature store.

    Parameters
    ----------
    default
        The value to use if the store has none, or is down, slow or wrong. Left out: the record then lacks the feature.
    """

    default: Value | None = None


BATCH_MAX = 10_000
"""The most labels that are collected before they are learned."""

MEANS = "online_linear"
"""The model that can learn several labels by one step along the mean of their gradients."""

MODELS: dict[Kind, str] = {
    "binary": "logistic",
    "multiclass": "softmax",
    "regression": "linear",
    "anomaly": "half_space_trees",
}
"""The model of each kind of task that names none."""

LABELS_MAX = 1_000
"""The most labels of a multiclass task, declared or met."""

Duration = Annotated[str, msgspec.Meta(max_length=40)] | Annotated[float, msgspec.Meta(ge=0)]


class Update(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When labels are learned: after `batch` labels, or after `every`, whichever comes first.

    Parameters
    ----------
    batch
        The number of labels that are learned together.
    every
        The longest log time that the first label of a batch waits.
    gradient
        `"each"`: one step for each label, in order. `"mean"`, for `online_linear` only: one step along the mean of their gradients.
    """

    batch: Annotated[int, msgspec.Meta(ge=1, le=BATCH_MAX)] | None = None
    every: Duration | None = None
    gradient: Literal["each", "mean"] = "each"

    def __post_init__(self) -> None:
        if self.batch is None and self.every is None:
            raise ValueError("update needs batch or every, or both")
        if self.every is not None and milliseconds(self.every) == 0:
            raise ValueError("every must be a millisecond or more")

    @property
    def every_ms(self) -> int | None:
        """The longest that the first label of a batch waits, in milliseconds of log time."""
        return None if self.every is None else milliseconds(self.every)


class Unanswered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to learn from a question whose label did not come: either an assumed label or the champion's own prediction.

    Parameters
    ----------
    assume
        The label to learn.
    self_train
        The probability, above 0 and up to 1, from which on the champion's prediction is learned as the label; not for a regression.
    """

    assume: Label | None = None
    self_train: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None

    def __post_init__(self) -> None:
        if (self.assume is None) == (self.self_train is None):
            raise ValueError("unanswered is 'drop', or has one of assume and self_train")


Mirror = Annotated[
    str, msgspec.Meta(pattern=r"^(file:\S.*|s3://[^/\s]+(/\S*)?)\Z", examples=["s3://models/headrace"], max_length=1024)
]


class Versions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When the champion is saved as a version, and how many versions are kept.

    Parameters
    ----------
    every
        Labels learned from one version to the next.
    keep
        Versions kept in each shard beside those that are pinned. The one that the champion comes from and the last good one are kept
        always.
    mirror
        Where each saved version is copied to, as a file: `file:FOLDER`, or `s3://BUCKET/PREFIX`. Left out: nowhere. It is not part of the
        definition: a restart puts it in force. See "Mirror every version" in docs/how-to/versions.md.
    """

    every: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    keep: Annotated[int, msgspec.Meta(ge=2, le=1_000)] = 10
    mirror: Mirror | None = None


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One problem to learn: what is predicted, with which model, and how records are checked and learned.

    Parameters
    ----------
    name
        The name, with which the topics `<name>.events`, `<name>.predictions`, ... begin.
    kind
        `"binary"` (labels true and false), `"multiclass"` (strings or whole numbers), `"regression"` (finite numbers), or `"anomaly"`:
        how strange a record is, learned without labels. Labels true and false may come, for the metrics alone.
    model
        A catalogue name; a table `{ use = NAME, ... }` with parameters; or `"module:function"`. Left out: `logistic`, `softmax`,
        `linear` or `half_space_trees`, by kind.
    partitions
        The number of shards. Each shard has its own model, which learns from the shard's records only. Must equal the number of partitions
        of the event log; see "Change a task" in docs/how-to/change-a-task.md.
    features
        The features that a record may have. Left out: any name with a number, a string or a boolean.
    labels
        `"multiclass"` only: the labels allowed, all strings or all whole numbers, up to 1,000. Left out: the first label of a shard
        decides the type, and labels of the other type are quarantined, because JSON has one key for 1 and "1". New labels beyond the first
        1,000 of a shard are quarantined too.
    crosses
        Pairs or triples of features that count together as one more feature, such as `[["country", "device"]]`; at most 20.
    negatives
        For two classes of which true is rare: the share of the records with the label false that is learned, above 0 and up to 1. Probabilities
        are corrected for it, and all records are scored. Left out: all are learned.
    weights
        For classes, how much each counts when it is learned: `"balanced"`, or a table of labels with numbers above 0 and up to 100, such as
        `{ fraud = 20, ok = 0.5 }`; a label that is not named counts 1. A record is learned as often as its class weighs. It decides which label
        is predicted, and probabilities are corrected for it. Left out: all count alike. See "Where labels are rare" in docs/how-to/compare.md.
    costs
        `"multiclass"` only: what errors cost, one `[[tasks.NAME.costs]]` each. The label with the lowest expected cost is predicted, and the
        metrics `total_cost` and `mean_cost` are counted. Left out: the most probable label.
    feature_limit
        The most features of a record or a question, if `features` declares none.
    name_limit
        The most names of features that a shard learns. With a model of your own, the values of string features count too. A sample with a new name beyond the limit is
        quarantined; samples with known names are still learned.
    predictions
        Whether the prediction for each sample and question, and the end of each question, are published to `<task>.predictions`.
    wait
        How long a question waits for its label, and a label for its question, in log time.
    unanswered
        What happens to a question whose label does not come: `"drop"`, `{ assume = LABEL }`, or `{ self_train = PROBABILITY }`.
    order
        `"arrival"`: records are folded in the order of the log. `"event_time"`: in the order of their `time`.
    lateness
        For `"event_time"`: how long a record waits for earlier ones.
    late
        For `"event_time"`: what happens to a record that comes after its `lateness`, or whose time is further ahead of log time than
        `lateness`: `"learn"` at once, or `"quarantine"`.
    update
        When labels are learned: `{ batch = 32 }`, `{ every = "5s" }`, or both. Left out: each label at once.
    versions
        When the champion is saved as a version that one can go back to, and how many versions are kept.
    detectors
        What watches for a changing world, one `[[tasks.NAME.detectors]]` each: `use`, a name of the catalogue, with its parameters; and `watch`,
        one or several of `"error"`, `"score"`, `"label_rate"`, `"features"` and `"feature:NAME"`. Left out: `adwin` and `evidence` on the
        champion's error.
    reactions
        What is done about a signal, one `[[tasks.NAME.reactions]]` each, tried in this order: `do`, a name of the catalogue, with its
        parameters; `on`, what the signal is of: `"error"`, a detector's name, ...; `mode`; `budget` and `cooldown`. Left out: `hold` and
        `alert`.
    guard
        What watches whether the champion is still worth its role, and what it may learn.
    rehearsal
        Past samples that are learned again beside new ones. Left out: none.
    arms
        What folds the same records beside the champion, one `[tasks.NAME.arms.ARM]` each. The baselines `no_change` and `majority` (`mean` for
        a regression) are always there, unless they are set to false.
    experiments
        Which arms are compared, one `[[tasks.NAME.experiments]]` each. Left out: the champion with each other arm of `arms`.
    threshold
        For two classes: the probability from which on true is predicted, or a table with what it must meet. It changes the label that is
        served, published and scored, not the probability. Left out: the more probable label. For anomalies: the score from which on a
        record is one, or a table; left out, the score itself is the prediction.
    segments
        Names of features: the predictions are scored for each of their values too, up to 50 values of each.
    stored
        Features to look up by the entity's key, unless a record brings them itself. The values are frozen into the record before it is
        folded, so the model needs no change.
    sources
        Your own topics, whose messages are brought into the event log: see "Learn from your own topic" in docs/how-to/own-topic.md.
    columns
        What the columns of your files are for, and how their cells are read. `headrace init` writes it, and `headrace send` needs no option
        then. It is not part of the definition.

    Examples
    --------
    >>> task = Task(name="phishing", kind="binary")
    >>> task.model, task.partitions, task.events
    ('logistic', 1, 'phishing.events')
    """

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}\Z")]
    kind: Kind
    model: str | dict[str, bool | int | float | str] = ""
    partitions: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1
    features: dict[str, Feature] | None = None
    labels: Annotated[list[str | int], msgspec.Meta(max_length=LABELS_MAX)] | None = None
    crosses: Annotated[list[Cross], msgspec.Meta(max_length=CROSSES_MAX)] = []
    negatives: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    weights: Weights | None = None
    costs: Annotated[list[Cost], msgspec.Meta(max_length=COSTS_MAX)] = []
    feature_limit: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    name_limit: Annotated[int, msgspec.Meta(ge=1)] = 1_000_000
    predictions: bool = False
    wait: Duration = "7d"
    unanswered: Literal["drop"] | Unanswered = "drop"
    order: Literal["arrival", "event_time"] = "arrival"
    lateness: Duration = "10s"
    late: Literal["learn", "quarantine"] = "learn"
    update: Update | None = None
    versions: Versions = Versions()
    detectors: Annotated[list[Row], msgspec.Meta(max_length=100)] = msgspec.field(
        default_factory=lambda: [dict(row) for row in DETECTORS]
    )
    reactions: Annotated[list[Row], msgspec.Meta(max_length=100)] = msgspec.field(
        default_factory=lambda: [dict(row) for row in REACTIONS]
    )
    guard: Guard = Guard()
    rehearsal: Rehearsal | None = None
    arms: Annotated[dict[ArmName, ArmSettings | bool], msgspec.Meta(max_length=ARMS_MAX)] = {}
    experiments: Annotated[list[Experiment], msgspec.Meta(max_length=100)] | None = None
    threshold: Annotated[float, msgspec.Meta(gt=0, lt=1)] | Threshold | None = None
    segments: Annotated[list[Annotated[str, msgspec.Meta(max_length=256)]], msgspec.Meta(max_length=5)] = []
    stored: dict[str, Stored] | None = None
    sources: list[Source] | None = None
    columns: Columns | None = None

    def __post_init__(self) -> None:
        if self.wait_ms == 0:
            raise ValueError("wait must be above 0")
        if self.kind == "anomaly":
            self._fit_unlabelled()
        for name in self.__struct_fields__:
            if isinstance(
                table := getattr(self, name), msgspec.Struct
            ):  # made in Python, it may hold 1 where a state has 1.0
                msgspec.structs.force_setattr(self, name, msgspec.convert(msgspec.to_builtins(table), type(table)))
        self._check_guard()
        seconds(self.lateness)
        if self.update and self.update.gradient == "mean" and self.model_name != MEANS:
            raise ValueError(f"gradient = 'mean' is for the model {MEANS} alone")
        if self.negatives is not None and self.kind != "binary":
            raise ValueError(f"negatives is not for {self.kind} tasks")
        check_arms(self.kind, self.arms, self.experiments or [], self.threshold)
        self._check_classes()
        if isinstance(self.unanswered, Unanswered):
            if self.unanswered.assume is not None:
                self._check_assumed(self.unanswered.assume)
            elif self.kind == "regression":
                raise ValueError("self_train is not for regression: there is no probability to go by")
        self._complete_model()
        msgspec.structs.force_setattr(self, "costs", sorted(self.costs, key=lambda one: (one.label, one.predicted)))
        for name in ("model", "detectors", "reactions", "arms"):  # the order of their keys must not be seen in a state
            msgspec.structs.force_setattr(self, name, _sorted(getattr(self, name)))

    @property
    def events(self) -> str:
        """The topic of the event log."""
        return f"{self.name}.events"

    @property
    def requests(self) -> str:
        """The topic of the questions that are asked over Kafka."""
        return f"{self.name}.requests"

    @property
    def wait_ms(self) -> int:
        """How long a question waits for its label, in milliseconds of log time."""
        return milliseconds(self.wait)

    @property
    def lateness_ms(self) -> int:
        """How long a record waits for earlier ones, in milliseconds."""
        return milliseconds(self.lateness)

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules of a user's own models, whose classes may be in the state; empty for models of the catalogue."""
        models = [self.model, *(arm.model for arm in self.named_arms.values() if arm.model)]
        return tuple(dict.fromkeys(module for model in models for module in modules_of(model)))

    @property
    def named_arms(self) -> dict[str, ArmSettings]:
        """The arms of the setting `arms`, without the baselines that are left out."""
        return {name: arm for name, arm in self.arms.items() if isinstance(arm, ArmSettings)}

    @property
    def compares_probabilities(self) -> bool:
        """Whether a guard or an experiment compares more of a baseline's answers than the labels."""
        losses = [self.guard.loss, *(row.loss for row in self.experiments or [])]
        return "brier" in losses or "log" in losses

    @property
    def model_name(self) -> str:
        """The catalogue name or `module:function` of the champion."""
        return name_of(self.model)

    def _complete_model(self) -> None:
        """Choose the default model if none is named, and add what becomes of the features before it sees them."""
        model = self.model or MODELS[self.kind]
        features = self.features or {}
        if fault := find_clash(self.features, self.crosses):
            raise ValueError(fault)
        has_steps = any(one.step is not None or one.missing is not None for one in features.values())
        if has_steps or self.crosses or self.negatives is not None or self.weights is not None:
            model = with_steps(model, features, self.crosses, self.negatives, self.weights)
        msgspec.structs.force_setattr(self, "model", model)

    def _fit_unlabelled(self) -> None:
        """Choose the policies of a task without labels, where none are named; ValueError if one does not fit."""
        for name, value in usual({name: getattr(self, name) for name in USUAL}).items():
            msgspec.structs.force_setattr(self, name, value)
        if fault := find_unfit({name: getattr(self, name) for name in UNFIT}):
            raise ValueError(fault)

    def _check_guard(self) -> None:
        guard = self.guard
        if self.kind != "regression" and isinstance(guard.label_rate, LabelRate) and guard.label_rate.bound >= 1:
            raise ValueError(
                f"guard.label_rate.bound is {guard.label_rate.bound:g}: "
                "shares of classes depart by less than 1, so it would find nothing"
            )
        if guard.loss is not None and (guard.loss == "absolute") != (self.kind == "regression"):
            raise ValueError(f"guard.loss = '{guard.loss}' is not for {self.kind} tasks")

    def _check_classes(self) -> None:
        if len(set(map(type, self.labels or ()))) > 1:
            raise ValueError("labels has strings and whole numbers, and 1 and '1' have one key in JSON: use one type")
        fault = find_weight_fault(self.kind, self.labels, self.weights, self.negatives)
        if fault := fault or find_cost_fault(self.kind, self.labels, self.costs):
            raise ValueError(fault)

    def _check_assumed(self, label: Label) -> None:
        fits = {
            "binary": type(label) is bool,
            "multiclass": type(label) in (str, int) and (self.labels is None or label in self.labels),
            "regression": type(label) in (int, float),
            "anomaly": False,
        }[self.kind]
        if not fits:
            raise ValueError(f"assume is {label!r}, which is no label of this task")


def _sorted(value: Json) -> Json:
    """Put the keys of all tables in a value in their order."""
    if isinstance(value, dict):
        return {name: _sorted(one) for name, one in sorted(value.items())}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def made_for(task: Task, model: str | dict[str, Value]) -> Task:
    """Give a task the model that something is made of, with the steps of features that it was made with.

    How the task learns, and what its features become now, is not that model's affair.

    Examples
    --------
    >>> made_for(Task(name="ads", kind="binary", update=Update(batch=8)), "alma").update is None
    True
    >>> task = Task(name="ads", kind="binary", features={"price": Feature(step="log")})
    >>> made_for(task, "alma").model, with_model(task, "alma").model
    ('alma', {'feature.price': 'log', 'use': 'alma'})
    """
    features = task.features and {
        name: msgspec.structs.replace(one, step=None, missing=None) for name, one in task.features.items()
    }
    return msgspec.structs.replace(
        task, model=model, features=features, crosses=[], negatives=None, weights=None, update=None
    )


def with_model(task: Task, model: str | dict[str, Value]) -> Task:
    """Give a task another model, which gets the features as the task declares them."""
    return msgspec.structs.replace(task, model=model, update=None)


def name_of(model: str | dict[str, Value]) -> str:
    """Give the catalogue name or the `module:function` of a model.

    Examples
    --------
    >>> name_of({"use": "logistic", "learning_rate": 0.05})
    'logistic'
    """
    return model if isinstance(model, str) else str(model.get("use", ""))


def modules_of(model: str | dict[str, Value]) -> tuple[str, ...]:
    """Give the module of a model, where it is one of the user's own: what it defines may be in the state.

    Examples
    --------
    >>> modules_of("shop.models:make"), modules_of("logistic")
    (('shop.models',), ())
    """
    module, imported, _ = name_of(model).partition(":")
    return (module,) if imported else ()


def milliseconds(duration: str | float) -> int:
    """Convert a duration such as `"5s"` to whole milliseconds.

    Examples
    --------
    >>> milliseconds("1.5s")
    1500
    """
    return round(seconds(duration) * 1000)

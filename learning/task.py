"""A task: one supervised problem, as `headrace.toml` declares it."""

import hashlib
from typing import Annotated, Literal

import msgspec

Kind = Literal["binary", "multiclass", "regression"]
Value = bool | int | float | str
Label = bool | int | float | str


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The declared type and range of one feature; `min`, `max` are inclusive, `values` lists the strings allowed."""

    type: Literal["float", "int", "bool", "string"] = "float"
    min: float | None = None
    max: float | None = None
    values: list[str] | None = None
    optional: bool = False


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One supervised problem.

    Parameters
    ----------
    name
        Names the topics `<name>.events`, `<name>.predictions`, ...
    kind
        `binary` (labels true and false), `multiclass` (strings or whole numbers) or `regression` (finite numbers).
    model
        A name of the catalogue, or a table with `use` and that model's parameters, or `"module:function"`.
    partitions
        Shards of the event log; each has a learner of its own.
    features
        Optional schema. Left out, any name with a number or a string is accepted.
    labels
        For `multiclass`: the labels allowed. Left out, any string or whole number.
    predictions
        Whether the prediction made for each *sample* is published to `<name>.predictions` as well.

    Examples
    --------
    >>> task = Task(name="phishing", kind="binary")
    >>> task.model, task.partitions, task.events
    ('logistic', 1, 'phishing.events')
    >>> task.fingerprint == Task(name="phishing", kind="binary", model="alma").fingerprint
    False
    """

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    kind: Kind
    model: str | dict[str, bool | int | float | str] = ""
    partitions: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1
    features: dict[str, Feature] | None = None
    labels: list[str | int] | None = None
    predictions: bool = False

    def __post_init__(self) -> None:
        if self.model == "":
            default = {"binary": "logistic", "multiclass": "softmax", "regression": "linear"}[self.kind]
            msgspec.structs.force_setattr(self, "model", default)

    @property
    def events(self) -> str:
        """The event log's topic."""
        return f"{self.name}.events"

    @property
    def model_name(self) -> str:
        """The catalogue name or `module:function` of the champion."""
        return self.model if isinstance(self.model, str) else str(self.model.get("use", ""))

    @property
    def fingerprint(self) -> str:
        """SHA-256, as hex, of everything that decides how this task folds; partitions and publishing do not."""
        decides = {"kind": self.kind, "model": self.model, "features": self.features, "labels": self.labels}
        return hashlib.sha256(msgspec.json.encode(decides, order="sorted")).hexdigest()

"""The schema: which features a task accepts."""

from typing import Annotated

import msgspec

from headrace.learning.errors import MissingFeatureError, RecordError
from headrace.learning.records.words import TIME_MAX, near, say_of_time, show
from headrace.learning.task import Feature, Task, Value

# Squares of this number, and sums of millions of such squares, are finite. It is the largest count in 64 bits, so real data has room.
LARGEST = 2.0**64

Number = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Text = Annotated[str, msgspec.Meta(max_length=4096)]
CheckedFeatures = dict[Name, bool | Whole | Number | Text]
"""The features that a JSON decoder accepts for any task, before the task's own schema is applied."""


SHAPES_MAX = 1_000
"""The combinations of names and types that are remembered."""


class Schema:
    """Checks the features of a record against the declaration of its task.

    Parameters
    ----------
    task
        The task whose `features` are checked. If it declares none, any names are accepted, up to `feature_limit` of them.

    Examples
    --------
    >>> schema = Schema(Task(name="ads", kind="binary", features={"price": Feature(min=0, max=100)}))
    >>> schema.check({"price": 12.5})
    >>> schema.check({"price": 120})
    Traceback (most recent call last):
    ...
    headrace.learning.errors.RecordError: feature 'price' is 120; declared are values up to 100. Send a value in the range, or widen it in headrace.toml.
    """

    def __init__(self, task: Task):
        self.declared = task.features
        self.limit = task.feature_limit
        self._shapes: dict[tuple[tuple[str, ...], tuple[type, ...]], list[tuple[str, Feature]]] = {}

    def check(self, features: dict[str, Value]) -> None:
        """Raise RecordError, naming the feature, unless the features fit the declaration."""
        if self.declared is None:
            if len(features) > self.limit:
                raise RecordError(
                    f"the record has {len(features)} features, more than the {self.limit} allowed.",
                    "Send fewer, declare them, or raise feature_limit in headrace.toml.",
                    "too_many_features",
                )
            return
        # Records are mostly alike: what fits by its names and types is remembered, and the values that have a range are checked.
        shape = tuple(features), tuple(map(type, features.values()))
        bounded = self._shapes.get(shape)
        if bounded is None:
            self._check(features, self.declared)
            if len(self._shapes) < SHAPES_MAX:
                pairs = [(name, self.declared[name]) for name in features]
                self._shapes[shape] = [pair for pair in pairs if is_bounded(pair[1])]
            return
        for name, feature in bounded:
            check_value(name, features[name], feature)

    def _check(self, features: dict[str, Value], declared: dict[str, Feature]) -> None:
        for name, value in features.items():
            feature = declared.get(name)
            if feature is None:
                raise RecordError(
                    f"feature '{name}' is not declared.{near(name, declared)}",
                    "Leave it out, or declare it in headrace.toml.",
                )
            check_value(name, value, feature)
        if len(features) < len(declared):
            for name, feature in declared.items():
                if name not in features and not feature.optional:
                    raise MissingFeatureError(f"feature '{name}' is missing.", "Send it, or declare it optional.")


def is_bounded(feature: Feature) -> bool:
    """Tell whether not every value of its type is a value of a feature."""
    return feature.min is not None or feature.max is not None or feature.values is not None or feature.is_date


def check_value(name: str, value: Value, feature: Feature) -> None:
    """Raise RecordError, naming the feature, unless a value has the declared type and lies in the declared range."""
    wanted = feature.type
    if wanted == "string":
        if type(value) is not str:
            raise RecordError(f"feature '{name}' is {show(value)}, not a string.", "Send a string.")
        if feature.values is not None and value not in feature.values:
            known = ", ".join(feature.values)
            raise RecordError(f"feature '{name}' is {show(value)}, not one of {known}.", "Send one of these.")
        return
    if wanted == "bool":
        if type(value) is not bool:
            raise RecordError(f"feature '{name}' is {show(value)}, not true or false.", "Send true or false.")
        return
    if type(value) is not int and (wanted == "int" or type(value) is not float):
        noun = "a whole number" if wanted == "int" else "a number"
        raise RecordError(f"feature '{name}' is {show(value)}, not {noun}.", f"Send {noun}.")
    remedy = "Send a value in the range, or widen it in headrace.toml."
    if feature.min is not None and value < feature.min:
        raise RecordError(f"feature '{name}' is {value}; declared are values from {feature.min:g}.", remedy)
    if feature.max is not None and value > feature.max:
        raise RecordError(f"feature '{name}' is {value}; declared are values up to {feature.max:g}.", remedy)
    if feature.is_date and value > TIME_MAX:
        raise RecordError(f"feature '{name}' is {value}, which {say_of_time(value)}.", "Send seconds since the epoch.")


def find_bad_feature(features: object) -> RecordError | None:
    """Return the first error in decoded features, naming the feature, or None: called for the reason after the fast check failed."""
    if isinstance(features, str) and features.lstrip().startswith("{"):
        return RecordError("'features' is a string that holds an object: it was encoded twice.", "Encode it once.")
    if not isinstance(features, dict):
        return RecordError("'features' is not an object.", 'Send {"name": value, ...}.')
    for name, value in features.items():
        if not 1 <= len(name) <= 256:
            return RecordError(f"feature name '{name[:40]}...' has {len(name)} characters.", "Use 1 to 256.")
        try:
            msgspec.convert({name: value}, CheckedFeatures)
        except msgspec.ValidationError:
            remedy = "Send a finite number within 2^64 of zero (whole numbers within 2^63), a string of up to 4,096 characters or a boolean."
            return RecordError(f"feature '{name}' is {show(value)}.", remedy)
    return None

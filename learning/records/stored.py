"""Stored features: what a task takes from a feature store, and which values of it are good enough to take."""

import msgspec

from headrace.learning.errors import RecordError
from headrace.learning.records.schema import Number, Text, Whole, check_value, find_bad_feature
from headrace.learning.task import Feature, Task, Value


class Single(msgspec.Struct):
    """One value that a record may hold; a type of its own, because msgspec then prepares the check once."""

    value: bool | Whole | Number | Text


class StoredSchema:
    """Checks values for the features that a task declares as stored.

    A value must be what a record may hold, and what the task's `features` declare of it. Where they declare nothing, it must be
    of the default's type: a number, a string or a boolean.

    Parameters
    ----------
    task
        The task whose `stored` is the declaration.

    Attributes
    ----------
    expected
        For each stored feature what its values must be; None where any will do.

    Examples
    --------
    >>> from headrace.learning.task import Stored
    >>> schema = StoredSchema(Task(name="ads", kind="binary", stored={"clicks": Stored(default=0)}))
    >>> schema.check("clicks", 12.5)
    >>> schema.check("clicks", "many")
    Traceback (most recent call last):
    ...
    headrace.learning.errors.RecordError: feature 'clicks' is 'many', not a number. Send a number.
    >>> schema.check("visits", 3)
    Traceback (most recent call last):
    ...
    headrace.learning.errors.RecordError: feature 'visits' is not a stored one; those are: clicks. Leave it out, or declare it in headrace.toml.
    """

    def __init__(self, task: Task):
        self.stored = task.stored or {}
        declared = task.features or {}
        self.expected = {name: declared.get(name) or _like(stored.default) for name, stored in self.stored.items()}

    def check_name(self, name: str) -> None:
        """Raise RecordError unless there is a stored feature of this name."""
        if name not in self.stored:
            known = ", ".join(self.stored)
            what = f"feature '{name[:80]}' is not a stored one; those are: {known}."
            raise RecordError(what, "Leave it out, or declare it in headrace.toml.")

    def check(self, name: str, value: Value) -> None:
        """Raise RecordError, naming the feature, unless it is a stored one and this a good value for it."""
        self.check_name(name)
        try:
            msgspec.convert({"value": value}, Single)
        except msgspec.ValidationError:
            raise find_bad_feature({name: value}) or RecordError(f"feature '{name}' is none.") from None
        if expected := self.expected[name]:
            check_value(name, value, expected)


def _like(default: Value | None) -> Feature | None:
    """The declaration that a default stands for."""
    if default is None:
        return None
    return Feature(type="bool" if type(default) is bool else "string" if type(default) is str else "float")

"""Stored features: checks the values that a task takes from its feature store."""

import msgspec

from headrace.learning.errors import RecordError
from headrace.learning.records.schema import Number, Text, Whole, check_value, find_bad_feature
from headrace.learning.task import Feature, Task, Value


class SingleValue(msgspec.Struct):
    """One value that a record may hold; a struct, because msgspec then prepares the check only once."""

    value: bool | Whole | Number | Text


class StoredSchema:
    """Checks values for the features that a task declares as stored.

    A value must be one that a record may hold, and must fit the feature's declaration in the task's `features`. Without a declaration,
    a value must have the type of the default: number, string or boolean.

    Parameters
    ----------
    task
        The task whose `stored` is the declaration.

    Attributes
    ----------
    expected
        The name of each stored feature, with the declaration that its values must fit; None if any value fits.

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
        """Raise RecordError unless the task has a stored feature of this name."""
        if name not in self.stored:
            known = ", ".join(self.stored)
            what = f"feature '{name[:80]}' is not a stored one; those are: {known}."
            raise RecordError(what, "Leave it out, or declare it in headrace.toml.")

    def check(self, name: str, value: Value) -> None:
        """Raise RecordError, naming the feature, unless it is a stored feature and the value fits it."""
        self.check_name(name)
        try:
            msgspec.convert({"value": value}, SingleValue)
        except msgspec.ValidationError:
            raise find_bad_feature({name: value}) or RecordError(f"feature '{name}' has no value.") from None
        if expected := self.expected[name]:
            check_value(name, value, expected)


def _like(default: Value | None) -> Feature | None:
    """Return the declaration that a default implies."""
    if default is None:
        return None
    return Feature(type="bool" if type(default) is bool else "string" if type(default) is str else "float")

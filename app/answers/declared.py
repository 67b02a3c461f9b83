"""The settings of a task as a worker tells them: what a client needs to make records of the rows of a data frame."""

import msgspec

from headrace.learning.task import Json, Task, define

BESIDE = ("partitions", "columns", "stored")
"""The settings that are told beside those of the definition."""


def tell_settings(task: Task) -> dict[str, Json]:
    """Return the settings of a task that a client may know: its definition, `partitions`, `columns` and `stored`.

    Examples
    --------
    >>> told = tell_settings(Task(name="ads", kind="binary", partitions=4))
    >>> told["model"], told["partitions"], told["columns"]
    ('logistic', 4, None)
    >>> read_settings("ads", told).partitions
    4
    """
    beside = {name: msgspec.to_builtins(getattr(task, name)) for name in BESIDE}
    return msgspec.json.decode(define(task), type=dict[str, Json]) | beside


def read_settings(name: str, told: dict[str, Json]) -> Task:
    """Return the task that a worker has told of; ValueError if the settings are those of another version of Headrace."""
    known = {key: value for key, value in told.items() if key in Task.__struct_fields__}
    try:
        return msgspec.convert({"name": name} | known, Task)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None

"""The settings of a task in its status: what a client needs to make records of the rows of a data frame."""

import msgspec

from headrace.learning.plain import plain
from headrace.learning.task import Json, Task, define

MORE = ("partitions", "columns", "stored")
"""The settings in the status that are not part of the definition."""


def tell_settings(task: Task) -> dict[str, Json]:
    """Return the settings of a task that a client may know: its definition, `partitions`, `columns` and `stored`.

    Examples
    --------
    >>> settings = tell_settings(Task(name="ads", kind="binary", partitions=4))
    >>> settings["model"], settings["partitions"], settings["columns"]
    ('logistic', 4, None)
    >>> read_settings("ads", settings).partitions
    4
    """
    more = {name: msgspec.to_builtins(getattr(task, name)) for name in MORE}
    return msgspec.json.decode(define(task), type=dict[str, Json]) | more


def read_settings(name: str, settings: dict[str, Json]) -> Task:
    """Return the task with these settings from its status; ValueError if the settings are those of another version of Headrace."""
    known = {key: value for key, value in settings.items() if key in Task.__struct_fields__}
    try:
        return msgspec.convert({"name": name} | known, Task)
    except msgspec.ValidationError as error:
        raise ValueError(plain(error)) from None

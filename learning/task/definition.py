"""The definition of a task: those of its settings that decide how its event log is folded, as one line of canonical JSON.

The definition in force stands in the event log and in the state; `headrace.toml` holds the one that is wanted.
"""

import hashlib
from functools import lru_cache
from typing import Any

import msgspec

from headrace.learning.task.features import plain_model
from headrace.learning.task.task import Task

KEYS = (
    "kind",
    "model",
    "features",
    "crosses",
    "negatives",
    "labels",
    "feature_limit",
    "name_limit",
    "wait",
    "unanswered",
    "order",
    "lateness",
    "late",
    "update",
    "versions",
    "detectors",
    "reactions",
    "guard",
    "rehearsal",
    "arms",
    "experiments",
    "threshold",
    "segments",
    "weights",
    "costs",
)
"""The settings that a definition has."""

LATER = ("weights", "costs")
"""Those that came after the first release: a definition has them only where they say something, so that one of before is the same bytes."""


def define(task: Task) -> bytes:
    """Write the definition of a task; equal definitions are equal bytes, however their durations are written.

    Examples
    --------
    >>> define(Task(name="ads", kind="binary", wait="1h")) == define(Task(name="shop", kind="binary", wait=3600))
    True
    """
    values: dict[str, Any] = {key: msgspec.to_builtins(getattr(task, key)) for key in KEYS}
    for key in LATER:
        if not values[key]:
            del values[key]
    values["model"] = plain_model(task.model)
    del values["versions"]["mirror"]  # where copies go decides nothing in the fold
    values["wait"] = task.wait_ms / 1000
    values["lateness"] = task.lateness_ms / 1000
    if task.update is not None and task.update.every_ms is not None:
        values["update"]["every"] = task.update.every_ms / 1000
    return msgspec.json.encode(values, order="deterministic")


def fingerprint(definition: bytes) -> str:
    """Take the SHA-256 of a definition, as hex."""
    return hashlib.sha256(definition).hexdigest()


def under(task: Task, definition: bytes) -> Task:
    """Give a task the definition that is in force in place of its own.

    Parameters
    ----------
    task
        Its name, partitions, sources and the like stay.
    definition
        What `define` wrote, perhaps of an older version: a key that it lacks has its default.

    Raises
    ------
    msgspec.ValidationError
        It is not the definition of a task.

    Examples
    --------
    >>> task = Task(name="ads", kind="binary", model="alma")
    >>> under(task, define(Task(name="shop", kind="binary", model="pa"))).model
    'pa'
    """
    own = {name: value for name, value in msgspec.to_builtins(task).items() if name not in KEYS}
    return msgspec.convert(own | msgspec.json.decode(definition), Task)


@lru_cache(maxsize=64)
def read(definition: bytes) -> Task:
    """Read a definition as a task without a name of its own.

    Examples
    --------
    >>> read(define(Task(name="ads", kind="binary", wait="1h"))).wait_ms
    3600000
    """
    return msgspec.convert({"name": "task"} | msgspec.json.decode(definition), Task)


def differences(in_force: bytes, wanted: bytes) -> dict[str, tuple[Any, Any]]:
    """Compare two definitions: each key in which they differ, with both values.

    Examples
    --------
    >>> differences(define(Task(name="ads", kind="binary")), define(Task(name="ads", kind="binary", model="alma")))
    {'model': ('logistic', 'alma')}
    """
    before, after = (
        msgspec.json.decode(definition) | {"model": read(definition).model} for definition in (in_force, wanted)
    )
    return {key: (before.get(key), after.get(key)) for key in KEYS if before.get(key) != after.get(key)}

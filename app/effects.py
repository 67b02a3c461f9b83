"""Describes effects, such as signals, in a line for people."""

import json
from collections.abc import Callable
from contextlib import suppress

from headrace.learning.task import Json


def describe_effect(effect: dict[str, Json]) -> str:
    """Describe an effect, as its topic has it, in one line.

    Examples
    --------
    >>> describe_effect({"effect": "alert", "id": "ads/0/7/0/0", "code": "drift", "detail": "it rose", "time": 1.0})
    'alert drift: it rose'
    >>> describe_effect({"effect": "drift", "id": "of another"})
    'drift id=of another'
    """
    name = effect["effect"]
    if isinstance(name, str) and name in EFFECTS:
        with suppress(KeyError, TypeError, ValueError, IndexError):  # another program may have written it
            return f"{name} {EFFECTS[name](effect)}"
    return f"{name} {pairs({key: value for key, value in effect.items() if key != 'effect'})}"


def pairs(values: Json) -> str:
    """Write an object as `key=value` pairs, and anything else as JSON."""
    if not isinstance(values, dict):
        return plain(values)
    return " ".join(f"{key}={plain(value)}" for key, value in values.items())


def plain(value: Json) -> str:
    """Write a string as it is, and anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _of(effect: dict[str, Json]) -> str:
    return "" if effect["record"] is None else f"{effect['record']} "


def _signal(record: dict[str, Json]) -> str:
    whose = f" of {record['arm']}" if record.get("arm") else ""
    return (
        f"{record['id']} {record['detector']}: {record['watched']}{whose} {record['direction']}, "
        f"{record['before']:.4g} -> {record['after']:.4g}"
    )


EFFECTS: dict[Json, Callable[[dict[str, Json]], str]] = {
    "drift": _signal,
    "reacted": lambda one: f"{one['reaction']} ({one['mode']}): {one['did']}, for {one['signal']}",
    "acted": lambda one: f"{one['command']}{' by ' + one['by'] if one['by'] else ''}: {one['did']}",
    "saved": lambda one: f"version {one['version'][0]}",
    "alert": lambda one: f"{one['code']}: {one['detail']}",
    "predicted": lambda one: f"{_of(one)}{one['arm']}: {plain(one['prediction'])}, label {plain(one['label'])}",
    "resolved": lambda one: f"{_of(one)}{one['how']}: {plain(one['label'])} after {one['delay_s']:g} s",
}
"""Describes each kind of effect, by its name."""

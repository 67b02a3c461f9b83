"""Says in plain words what is wrong with a record, for people who know JSON and not Python."""

import re
from collections.abc import Iterable

import msgspec

from headrace.learning.near import NEAR_FEATURE, nearest

SHOWN = 80
"""The most characters of a value that are shown."""

NEAR_NAMES = 100
"""Names beyond so many, or longer than `SHOWN`, are not searched for a near one: a sender could make that dear."""

TIME_MAX = 253_402_300_799
"""The end of the year 9999, in seconds since the epoch."""

LINE_MAX = 4_096
"""The bytes of a line that are looked at for what it looks like."""

STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"')
NO_NUMBER = re.compile(rb":\s*-?(?:NaN|Infinity)\b")

KEYS = ("id", "features", "label", "time", "served", "source")


def show(value: object) -> str:
    """Show a value as JSON has it, but a string in single quotes; a long one is cut.

    Examples
    --------
    >>> show(None), show(True), show("maybe"), show([1, None])
    ('null', 'true', "'maybe'", '[1,null]')
    """
    if isinstance(value, str):
        return repr(value)[:SHOWN]
    try:
        return msgspec.json.encode(value).decode()[:SHOWN]
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        return noun(value)  # a number of any length


def near(name: str, known: Iterable[str]) -> str:
    """Return a question after the nearest known name, to stand after a sentence; an empty string if none is near.

    Examples
    --------
    >>> near("secs", ["seconds", "pages"]), near("x", ["seconds"])
    (" Did you mean 'seconds'?", '')
    """
    names = list(known)
    if len(name) > SHOWN or len(names) > NEAR_NAMES:
        return ""
    found = nearest(name, names, NEAR_FEATURE)
    return f" {found}" if found else ""


def noun(value: object) -> str:
    """Name the type of a JSON value.

    Examples
    --------
    >>> noun(5), noun(None), noun({})
    ('a whole number', 'null', 'an object')
    """
    nouns = {type(None): "null", bool: "true or false", int: "a whole number", float: "a number", str: "a string"}
    return nouns.get(type(value), "an object" if isinstance(value, dict) else "a list")


def find_bad_part(record: dict[str, object]) -> tuple[str, str] | None:
    """Find the part of a record that is not of its type or that no record has: what is wrong, and what to do; None if another is wrong.

    Examples
    --------
    >>> find_bad_part({"id": 5, "features": {}})
    ("'id' is 5, a whole number, and not a string.", 'Send a string of 1 to 256 characters.')
    >>> find_bad_part({"features": {}, "lable": True})
    ("a record has no key 'lable'. Did you mean 'label'?", 'Send id, features, label, time, served and source alone.')
    """
    for name in record:
        if name not in KEYS:
            question = near(name, KEYS)
            return f"a record has no key '{name[:SHOWN]}'.{question}", _remedy(record, is_near=bool(question))
    if "id" in record and (bad := _bad_id(record["id"])):
        return bad, "Send a string of 1 to 256 characters."
    if "time" in record and (bad := _bad_time(record["time"])):
        return bad, "Send seconds since the epoch."
    if not isinstance(record.get("source", ""), str):
        return f"'source' is {noun(record['source'])}, and not a string.", "Send topic/partition/offset."
    return None


def _remedy(record: dict[str, object], *, is_near: bool) -> str:
    """Say what to do about a key that no record has."""
    if "payload" in record or {"before", "after"} <= record.keys():
        return "It looks like a change of Debezium: map its topic as a source. See docs/how-to/own-topic.md."
    if "features" not in record and not is_near:
        return 'Put features under \'features\': {"features": {"NAME": value, ...}, "label": ...}.'
    return "Send id, features, label, time, served and source alone."


def not_json(line: bytes) -> str:
    r"""Say what to do about a line that is no JSON, by what it looks like.

    Examples
    --------
    >>> not_json(b'{"features": {"price": NaN}, "label": true}')
    'NaN and Infinity are no numbers of JSON: leave the feature out.'
    >>> not_json(b"{'features': {'price': 5}, 'label': True}")
    'It looks like a dict as Python prints it: write JSON, with json.dumps.'
    >>> not_json(b"3.5,PT,true")
    'It looks like a row of a table: write JSON, or send the file with headrace send.'
    >>> not_json(b"nothing")
    'Send one JSON object a line.'
    """
    text = line.strip()[:LINE_MAX]
    if text.startswith(b"{") and NO_NUMBER.search(STRINGS.sub(b"", text)):
        return "NaN and Infinity are no numbers of JSON: leave the feature out."
    if text.startswith((b"{'", b"[{'")):
        return "It looks like a dict as Python prints it: write JSON, with json.dumps."
    if not text.startswith((b"{", b"[")) and any(mark in text for mark in b",;\t"):
        return "It looks like a row of a table: write JSON, or send the file with headrace send."
    return "Send one JSON object a line."


def _bad_id(value: object) -> str:
    if not isinstance(value, str):
        return f"'id' is {show(value)}, {noun(value)}, and not a string."
    return "" if 1 <= len(value) <= 256 else f"'id' has {len(value)} characters."


def _bad_time(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"'time' is {show(value)}, and not a number."
    return "" if 0 <= value <= TIME_MAX else f"'time' is {show(value)}, which {say_of_time(value)}."


def say_of_time(value: float) -> str:
    """Say what a number is that is no time in seconds since 1970.

    Examples
    --------
    >>> say_of_time(1767225600000), say_of_time(-1)
    ('looks like milliseconds', 'is before 1970 or after the year 9999')
    """
    units = {"milliseconds": 1_000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000}
    unit = next((unit for unit, factor in units.items() if 0 <= value <= factor * TIME_MAX), None)
    return f"looks like {unit}" if unit else "is before 1970 or after the year 9999"

"""Reads one table of `headrace.toml` into its struct, and makes the errors for wrong settings."""

import re
from pathlib import Path
from typing import Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from headrace.learning.errors import SettingsError
from headrace.learning.near import nearest
from headrace.learning.plain import plain

TableT = TypeVar("TableT", bound=msgspec.Struct)


def read_section(
    path: Path, where: str, raw: object, shape: type[TableT], within: dict[str, type[msgspec.Struct]] | None = None
) -> TableT:
    """Read a table into the struct `shape`. `within` gives the structs of nested tables by their keys.

    Raises
    ------
    SettingsError
        A setting is wrong; the text names the file, the key and the remedy.
    """
    if not isinstance(raw, dict):
        raise wrong_value(path, where, "is not a table", f"Write [{where}].")
    for key, inner in (within or {}).items():
        if isinstance(raw.get(key), dict):
            read_section(path, f"{where}.{key}", raw[key], inner)
    known = [field.name for field in msgspec.structs.fields(shape) if field.name != "name"]
    for key in raw:
        if key not in known and not (where.startswith("tasks.") and key == "name"):
            raise unknown_key(path, where, key, known)
    try:
        return msgspec.convert(raw, shape)
    except msgspec.ValidationError as error:
        what, _, at = str(error).partition(" - at `$")
        at = at.rstrip("`")
        said = plain(what).replace("an object", "a table")
        remedy = _unquoted(raw, what, at) or _remedy(shape, at)
        raise wrong_value(path, where + at, f"is wrong: {said}", remedy) from None


def _unquoted(raw: dict[str, object], what: str, at: str) -> str:
    """Return the remedy for a number or a boolean in quotes; an empty string if that is not the error."""
    value: object = raw
    for key in at.removeprefix(".").split("."):
        value = value.get(key) if isinstance(value, dict) else None
    wanted, _, got = what.partition(", got ")
    if got != "`str`" or not isinstance(value, str):
        return ""
    forms = {"int": r"-?\d+", "float": r"-?\d+(\.\d+)?", "bool": "true|false"}
    fits = any(name in wanted and re.fullmatch(form, value) for name, form in forms.items())
    return f"Write {value}, without quotes." if fits else ""


def _remedy(shape: type[msgspec.Struct], at: str) -> str:
    """Return the remedy for a wrong field at `at` of a struct: its choices, or an example."""
    hint = get_type_hints(shape, include_extras=True).get(at.removeprefix("."))
    for part in (hint, *get_args(hint)):
        if get_origin(part) is Literal:
            return f"Write one of: {', '.join(map(str, get_args(part)))}."
        for meta in getattr(part, "__metadata__", ()):
            if isinstance(meta, msgspec.Meta) and meta.examples:
                return f"Write it like {meta.examples[0]}."
    return 'See "Settings" in docs/reference.md for what it takes.'


def unknown_key(path: Path, where: str, key: str, known: list[str]) -> SettingsError:
    """Make the error for an unknown key, which suggests the nearest known key."""
    remedy = nearest(key, known) or f"Known here: {', '.join(known)}."
    return SettingsError(f"{path}: unknown key '{where + '.' if where else ''}{key}'.", remedy)


def wrong_value(path: Path, key: str, what: str, remedy: str) -> SettingsError:
    """Make the error for a setting with a wrong value."""
    return SettingsError(f"{path}: '{key}' {plain(what)}.", plain(remedy))

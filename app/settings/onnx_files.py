"""The ONNX files that the settings name: they are read when the settings are, and again when a definition names one that is not known."""

import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from headrace.app.settings.section import wrong_value
from headrace.learning.plain import plain_failure


def read_onnx(path: Path, key: str, file: str) -> str:
    """Read a batch model from a file beside the settings, and make it known; return its digest. SettingsError if it cannot be read."""
    from headrace.learning.models.onnx import enter_file  # imports River, which takes a second

    try:
        return enter_file((path.parent / file).read_bytes())
    except OSError as error:
        raise wrong_value(
            path, key, f"names a file that cannot be read: {plain_failure(error)}", "Name a file of ONNX beside it."
        ) from None


def read_again(path: Path) -> None:
    """Read the files that the settings name by now, which may be others than at the start of the worker; leave out what cannot be read."""
    from headrace.learning.models.onnx import enter_file

    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    for file in files_of(raw):
        with suppress(OSError):
            enter_file((path.parent / file).read_bytes())


def files_of(raw: Any) -> Iterator[str]:
    """Yield the ONNX files that parsed settings name, of all tasks and of the worker; what is wrong there names none.

    Examples
    --------
    >>> arms = {"batch": {"onnx": "ads.onnx"}, "tree": {"model": "hoeffding_tree"}, "majority": False}
    >>> list(files_of({"tasks": {"ads": {"kind": "binary", "arms": arms}}, "worker": {"onnx": ["old.onnx"]}}))
    ['old.onnx', 'ads.onnx']
    """
    listed = _table(raw.get("worker")).get("onnx")
    yield from (file for file in listed if isinstance(file, str)) if isinstance(listed, list) else ()
    for task in _table(raw.get("tasks")).values():
        for arm in _table(_table(task).get("arms")).values():
            if isinstance(file := _table(arm).get("onnx"), str):
                yield file


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

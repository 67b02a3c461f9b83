"""Samples from records: lines that are sent as they are, but for the key that they bring."""

from collections.abc import Callable, Iterator

import msgspec

from headrace.app.files.cells import InvalidCellError, text_of
from headrace.app.files.labels import label_reader
from headrace.app.files.sample import KEY_MAX, Sample, checked
from headrace.learning.errors import RecordError
from headrace.learning.records import Reader, refuse_duplicate_keys
from headrace.learning.task import Task, Value
from headrace.learning.task.columns import Columns


def record_samples(lines: Iterator[tuple[int, bytes]], task: Task, key: str | None, file: str) -> Iterator[Sample]:
    """Yield a sample for each line. A record may have a `key`, as over HTTP; otherwise the feature `key` is its message key.

    The label of two classes may be written as in tables: as one of the words that the settings of the columns name, `yes` or 1.
    """
    check = Reader(task)
    read_label = label_reader(task, task.columns or Columns(), []) if task.kind in ("binary", "anomaly") else None
    for number, value in lines:
        sample = _make(check, number, value, key, file)
        if sample.reason and read_label is not None and (mapped := _map_label(value, read_label)) is not None:
            sample = _make(check, number, mapped, key, file)
        yield sample


def _make(check: Reader, number: int, value: bytes, key: str | None, file: str) -> Sample:
    if b'"key"' in value:
        return _with_own_key(check, number, value, key, file)
    return checked(check, number, value, key, file)


def _map_label(value: bytes, read: Callable[[str], Value | None]) -> bytes | None:
    """Return a record with its label as true or false; None if it has none that is a word or a number, or one that is unknown."""
    try:
        record = msgspec.json.decode(value)
        refuse_duplicate_keys(value)
        label = record["label"] if isinstance(record, dict) and "label" in record else None
        if not isinstance(label, str | int | float) or isinstance(label, bool):
            return None
        return msgspec.json.encode(record | {"label": read(text_of(label))})
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, RecordError, InvalidCellError):
        return None


def _with_own_key(check: Reader, number: int, value: bytes, key: str | None, file: str) -> Sample:
    try:
        record = msgspec.json.decode(value)
        if not isinstance(record, dict) or "key" not in record:
            return checked(check, number, value, key, file)
        refuse_duplicate_keys(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return checked(check, number, value, key, file)
    except RecordError as error:
        return Sample(number, value, reason=str(error), file=file)
    own = record.pop("key")
    if own is not None and not (isinstance(own, str) and 1 <= len(own) <= KEY_MAX):
        return Sample(
            number, value, reason=f"the key is not a string of 1 to {KEY_MAX} characters. Send a string.", file=file
        )
    sample = checked(check, number, msgspec.json.encode(record), key if own is None else None, file)
    return sample if own is None else sample._replace(key=own)

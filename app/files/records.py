"""Samples from records: lines that are sent as they are, but for the key that they bring."""

from collections.abc import Iterator

import msgspec

from headrace.app.files.sample import KEY_MAX, Sample, checked
from headrace.learning.errors import RecordError
from headrace.learning.records import Reader, refuse_duplicate_keys
from headrace.learning.task import Task


def record_samples(lines: Iterator[tuple[int, bytes]], task: Task, key: str | None, file: str) -> Iterator[Sample]:
    """Yield a sample for each line. A record may have a `key`, as over HTTP; otherwise the feature `key` is its message key."""
    check = Reader(task)
    for number, value in lines:
        yield (
            _with_own_key(check, number, value, key, file)
            if b'"key"' in value
            else checked(check, number, value, key, file)
        )


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

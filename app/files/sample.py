"""A sample as it comes from a file: a checked line for the event log, or the reason why it must not be sent."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from headrace.learning.errors import RecordError
from headrace.learning.records import Reader

SAMPLE_MAX = 1_000_000
"""The largest sample, in bytes: the default limit of a broker for a message, less room for key and headers."""

KEY_MAX = 256
"""The most characters of a key that a record brings."""


class Sample(NamedTuple):
    """A line for the event log, its line number in the source, and its message key; or the reason why it must not be sent.

    `is_label` marks a label that was split from its question by `send --delay`. `file` is the name of the source.
    """

    line: int
    value: bytes
    key: str | None = None
    reason: str = ""
    is_label: bool = False
    file: str = ""


class SampleSource:
    """Files or a data set of River, whose samples `headrace send` reads lazily.

    Parameters
    ----------
    samples
        The samples.
    total
        The value of `done` at the end: the bytes of the files, or the number of a data set's samples; 0 if it is not known.
    done
        Returns how far reading is; if left out, the number of samples taken counts.
    notes
        What the user should know.
    files
        The number of files.
    """

    def __init__(
        self,
        samples: Iterator[Sample],
        total: int,
        done: Callable[[], int] | None = None,
        notes: Sequence[str] = (),
        files: int = 1,
    ):
        self.samples, self.total, self.done, self.notes, self.files = samples, total, done, notes, files


def find_reason(check: Reader, value: bytes) -> str:
    """Return the reason why a line must not be sent; an empty string if it is valid."""
    if len(value) > SAMPLE_MAX:
        return f"it has {len(value)} bytes; a broker takes {SAMPLE_MAX}. Send less."
    try:
        check.read_record(value)
    except RecordError as error:
        return str(error)
    return ""


def checked(check: Reader, line: int, value: bytes, key: str | None, file: str = "") -> Sample:
    """Check a record and make a sample of it, with the feature `key`, or the id, as message key."""
    reason = find_reason(check, value)
    if reason or key is None:
        return Sample(line, value, reason=reason, file=file)
    record = msgspec.json.decode(value)
    value_of_key = record.get("features", {}).get(key, record.get("id") if key == "id" else None)
    if value_of_key is None:
        return Sample(line, value, reason=f"it has no feature '{key}' for the key.", file=file)
    text = value_of_key if isinstance(value_of_key, str) else msgspec.json.encode(value_of_key).decode()
    return Sample(line, value, text, file=file)

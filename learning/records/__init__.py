"""Records: lines of the event log, decoded and checked before a model learns from them."""

from headrace.learning.records.foreign import framed, recognise
from headrace.learning.records.reader import (
    DEPTH_MAX,
    LABELS,
    ROWS_MAX,
    Control,
    Id,
    Reader,
    Record,
    Refused,
    SourcePosition,
    Time,
    is_deeper,
    refuse_duplicate_keys,
)

__all__ = [
    "DEPTH_MAX",
    "LABELS",
    "ROWS_MAX",
    "Control",
    "Id",
    "Reader",
    "Record",
    "Refused",
    "SourcePosition",
    "Time",
    "framed",
    "is_deeper",
    "recognise",
    "refuse_duplicate_keys",
]

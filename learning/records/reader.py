"""The reader: decodes and checks the lines of the event log."""

import json
import re
from typing import Annotated, NoReturn

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from headrace.learning.codes import RefusalCode
from headrace.learning.errors import RecordError
from headrace.learning.plain import plain
from headrace.learning.prediction import Served
from headrace.learning.records.foreign import recognise
from headrace.learning.records.schema import CheckedFeatures, Number, Schema, Text, Whole, find_bad_feature
from headrace.learning.records.words import find_bad_part, not_json, show
from headrace.learning.task import Json, Label, Task, Value

ROWS_MAX = 1_000
"""The most rows in one message."""

DEPTH_MAX = 64
"""The deepest nesting of objects and arrays in a record. A JSON decoder's own limit is the rest of the call stack, so without this limit
the same record could be refused in one place and accepted in another."""

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+\\?(?:"|\Z)', re.DOTALL)  # the last one may lack its end
_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Time = Annotated[float, msgspec.Meta(ge=0, le=253_402_300_799)]  # the end of the year 9999

# The OpenAPI document shows this pattern, and JavaScript has no \Z; Python's $ would let a final newline through.
SourcePosition = Annotated[str, msgspec.Meta(pattern=r"^[^/]{1,249}/[0-9]{1,10}/[0-9]{1,18}(/[0-9]{1,9})?(?!\n)$")]

LABELS = {"binary": bool, "multiclass": Whole | Text, "regression": Whole | Number, "anomaly": bool}
"""The type of the labels of each kind of task."""


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """A sample, a question or a label, depending on which of `features` and `label` it has.

    Parameters
    ----------
    id
        The id that a question and its label share; optional for a sample.
    features
        The name of each feature, with a number, a string or a boolean.
    label
        The value that the model should have predicted, in the task's domain.
    time
        Event time in seconds since the epoch; optional.
    served
        For a question: the answer of the prediction endpoint.
    source
        The source position of a record from a team's own topic: `topic/partition/offset` or `topic/partition/offset/row`. A record is
        skipped if its source position was folded before.
    """

    id: Id | UnsetType = UNSET
    features: dict[str, Value] | UnsetType = UNSET
    label: Label | UnsetType = UNSET
    time: Time | UnsetType = UNSET
    served: Served | UnsetType = UNSET
    source: SourcePosition | UnsetType = UNSET


class Control(msgspec.Struct, frozen=True):
    """A control record: the name of its command and the record's other fields."""

    command: str
    arguments: dict[str, Json]


class Refused(msgspec.Struct, frozen=True):
    """A record that cannot be folded: a stable code, the reason for people, and the record's bytes."""

    code: RefusalCode
    reason: str
    value: bytes


def count_rows(value: bytes) -> int:
    """Count the lines of a message, each of which is a record."""
    return value.count(b"\n") + (not value.endswith(b"\n"))


class Reader:
    """Decodes and checks the records of one task.

    Parameters
    ----------
    task
        The task, which decides the domain of labels and the schema of features.

    Examples
    --------
    >>> reader = Reader(Task(name="ads", kind="binary"))
    >>> reader.read(b'{"features": {"price": 3.5}, "label": true}')[0].label
    True
    >>> reader.read(b'{"features": {"price": 3.5}, "label": "maybe"}')[0].reason
    "label 'maybe' is not one of true, false. Send true or false."
    """

    def __init__(self, task: Task):
        self.task = task
        self.schema = Schema(task)
        label = LABELS[task.kind]
        prediction = label | Number if task.kind == "anomaly" else label
        served = msgspec.defstruct(
            "Served", [("prediction", prediction | None)], bases=(Served,), frozen=True, forbid_unknown_fields=True
        )
        fields = [("id", Id | UnsetType, UNSET), ("features", CheckedFeatures | UnsetType, UNSET),
                  ("label", label | UnsetType, UNSET), ("time", Time | UnsetType, UNSET),
                  ("served", served | UnsetType, UNSET), ("source", SourcePosition | UnsetType, UNSET)]  # fmt: skip
        shape = msgspec.defstruct("Record", fields, bases=(Record,), forbid_unknown_fields=True)
        decoder = msgspec.json.Decoder(shape)
        self._decode, self._decode_lines = decoder.decode, decoder.decode_lines
        self._labels = None if task.labels is None else set(task.labels)
        self._is_unlabelled = task.kind == "anomaly"

    def read(self, value: bytes | None) -> list[Record | Control | Refused]:
        """Decode the records of one message, in their order; a line that cannot be read becomes a `Refused` in its place."""
        if not value or value.isspace():
            return [Refused("empty", "the message is empty. Send one JSON object a line.", value or b"")]
        rows = count_rows(value)  # before the split: a message of line ends would give millions
        if rows > ROWS_MAX:
            return [Refused("too_many_rows", f"{rows} rows in one message. Send up to {ROWS_MAX}.", value)]
        lines = value.split(b"\n")
        if value.endswith(b"\n"):
            lines.pop()
        records: list[Record | Control | Refused] = []
        is_foreign = False
        for line in lines:
            try:
                records.append(self.read_record(line))
            except RecordError as error:
                is_foreign |= error.code == "not_json"
                records.append(Refused(error.code, str(error), line))
        # The reasons alone differ: which lines are refused, and as what, is part of the fold.
        if is_foreign and (hint := recognise(value, flat=len(lines) > 1 and not is_deeper(value, DEPTH_MAX))):
            reason = " ".join(hint)
            for at, record in enumerate(records):
                if isinstance(record, Refused) and record.code == "not_json":
                    records[at] = Refused("not_json", reason, record.value)
        return records

    def read_samples(self, value: bytes | None) -> list[Record] | None:  # noqa: PLR0911 each is a way not to be plain
        """Decode a message whose lines are all samples, with label and features and nothing of a question; None for any other.

        It gives the same records as `read`, in less time.

        Examples
        --------
        >>> reader = Reader(Task(name="ads", kind="binary"))
        >>> [record.label for record in reader.read_samples(b'{"features": {"a": 1}, "label": true}')]
        [True]
        >>> reader.read_samples(b'{"features": {"a": 1}, "id": "q7"}') is None
        True
        """
        if not value:
            return None
        between = value.count(b"\n") - value.endswith(b"\n")
        # No JSON text has a brace, a line end and a brace inside: so such line ends alone are between the records.
        if between >= ROWS_MAX or value.count(b"}\n{") != between:
            return None
        try:
            records: list[Record] = self._decode_lines(value)  # type: ignore[assignment]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if len(records) != between + 1:
            return None
        check, labels, keys = self.schema.check, self._labels, 2 * len(records)
        for record in records:
            features = record.features
            if features is UNSET or record.label is UNSET or record.served is not UNSET:
                return None
            keys += len(features) + (record.id is not UNSET) + (record.time is not UNSET)
            keys += record.source is not UNSET
            if labels is not None and record.label not in labels:
                return None
            try:
                check(features)
            except RecordError:
                return None
        return records if value.count(b":") == keys else None  # see `read_record`

    def read_record(self, line: bytes) -> Record | Control:
        """Decode and check one record.

        Raises
        ------
        RecordError
            The record must not be folded; the error has the code and the reason.
        """
        try:
            record: Record = self._decode(line)  # type: ignore[assignment]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return self._explain(line, error)
        features = record.features
        keys = (record.id is not UNSET) + (record.label is not UNSET) + (record.time is not UNSET)
        if features is not UNSET:
            keys += 1 + len(features)
        if record.source is not UNSET:
            keys += 1
        if record.served is not UNSET:
            keys += 1 + len(record.served.__struct_fields__)
        # Each key is followed by a colon. So a line with as many colons as distinct keys has no duplicate key.
        if line.count(b":") != keys:
            refuse_duplicate_keys(line)
        if features is not UNSET:
            self.schema.check(features)
        if record.label is not UNSET:
            if self._labels is not None and record.label not in self._labels:
                self._refuse_label(record.label)
        elif features is UNSET:
            raise _error(
                "incomplete", "the record has neither 'features' nor 'label'.", "Send both, or one with an id."
            )
        if record.id is UNSET and (features is UNSET or (record.label is UNSET and not self._is_unlabelled)):
            raise _error("incomplete", "a question or a label has no 'id'.", "Send the id that joins them.")
        return record

    def _explain(self, line: bytes, error: Exception) -> Control:
        """Read a line that the fast decoder refused: return a control record, which is rare, or raise RecordError with the reason."""
        if is_deeper(line, DEPTH_MAX):
            raise _error("not_json", f"the record is nested more than {DEPTH_MAX} deep.", "Send flat features.")
        try:
            loose = msgspec.json.decode(line)
        except msgspec.ValidationError as problem:
            raise _error(
                "not_json", f"the record has a value that cannot be read: {plain(problem)}.", "Send finite numbers."
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise _error("not_json", f"the record is not JSON: {plain(problem)}.", not_json(line)) from None
        if not isinstance(loose, dict):
            raise _error("not_an_object", "the record is not a JSON object.", 'Send {"features": {...}, "label": ...}.')
        refuse_duplicate_keys(line)
        if isinstance(loose.get("control"), str):
            if b'"control"' not in line:  # whoever looks ahead for control records finds them by it
                raise _error("control", "the key 'control' is written with escapes.", "Write it as it is.")
            return Control(loose.pop("control"), loose)
        if "label" in loose and str(error).endswith("`$.label`"):
            self._refuse_label(loose["label"])
        if "features" in loose and (bad := find_bad_feature(loose["features"])):
            bad.code = "feature"
            raise bad
        if found := find_bad_part(loose):
            raise _error("shape", f"the record is not of the right shape: {found[0]}", found[1])
        shown = plain(error)[:200]  # it may quote a key of any length
        raise _error("shape", f"the record is not of the right shape: {shown}.", 'See "Records" in docs/formats.md.')

    def _refuse_label(self, label: object) -> NoReturn:
        shown = show(label)
        if self.task.kind in ("binary", "anomaly"):
            raise _error("label", f"label {shown} is not one of true, false.", "Send true or false.")
        if self.task.kind == "regression":
            what = f"label {shown} is not a finite number within 2^64 of zero (whole numbers within 2^63)."
            raise _error("label", what, "Send a number.")
        if self._labels is None:
            what = f"label {shown} is neither a string of up to 4,096 characters nor a whole number."
            raise _error("label", what, "Send one of these.")
        known = ", ".join(map(str, self.task.labels or ()))
        raise _error(
            "label", f"label {shown} is not one of {known}.", "Send one of these, or declare it in headrace.toml."
        )


def refuse_duplicate_keys(line: bytes) -> None:
    """Raise RecordError if an object in a JSON text has a key twice: decoders differ in which of the two values counts."""

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        decoded: dict[str, object] = {}
        for key, value in items:
            if key in decoded:
                raise _error("duplicate_key", f"the key '{key[:80]}' stands twice.", "Send each key once.")
            decoded[key] = value
        return decoded

    try:
        json.loads(line, object_pairs_hook=pairs)
    except ValueError:
        raise _error("not_json", "the record is not JSON.", "Send one JSON object a line.") from None


def is_deeper(line: bytes, limit: int) -> bool:
    """Return whether objects and arrays are nested more than `limit` deep in a text, which need not be valid JSON."""
    if line.count(b"[") + line.count(b"{") <= limit:
        return False
    outside = np.frombuffer(_STRINGS.sub(b"", line), np.uint8)
    return bool(_STEPS[outside].cumsum(dtype=np.int64).max(initial=0) > limit)


def _error(code: RefusalCode, what: str, remedy: str) -> RecordError:
    return RecordError(what, remedy, code)

"""Maps a message of a team's own topic to records of a task, by the expressions of a source."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from headrace.agents.expressions import Expression, compile_expression
from headrace.learning.codes import RefusalCode
from headrace.learning.errors import MissingFeatureError, RecordError
from headrace.learning.plain import plain, plain_failure
from headrace.learning.records import DEPTH_MAX, ROWS_MAX, Reader, framed, is_deeper, recognise
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.records.schema import LARGEST
from headrace.learning.records.words import TIME_MAX
from headrace.learning.task import Json, Task
from headrace.learning.task.source import Source
from headrace.tables.kafka.partitioner import partition_of

UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000}
KEY_MAX = 256


class Mapped(NamedTuple):
    """A mapped row: its number in the message, its shard and key, the parts of its record, which are not checked yet, and its bytes."""

    row: int
    partition: int
    key: bytes | None
    parts: dict[str, Json]
    value: bytes

    @property
    def entity(self) -> str | None:
        """Return the entity's key as text, or None if it is not UTF-8."""
        try:
            return None if self.key is None else self.key.decode()
        except UnicodeDecodeError:
            return None


class Rejected(NamedTuple):
    """A row that cannot become a record: its number in the message, a stable code, the reason, and its bytes."""

    row: int
    code: RefusalCode
    reason: str
    value: bytes


class LeftOut(NamedTuple):
    """A row that the source's expression `when` leaves out, or a message whose value is null: a tombstone."""

    row: int


class Mapping:
    r"""Maps the messages of one source topic for one task. The result depends on the message alone.

    So any worker that maps a message again gets the same records in the same shards. `seal` checks a record and encodes it; that is a
    step of its own, because stored features may be added before it.

    Parameters
    ----------
    task
        The task with the source.
    topic
        The topic of the source.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> source = Source(topic="clicks", key="user", label="clicked", features={"price": "offer.price"})
    >>> mapping = Mapping(Task(name="ads", kind="binary", sources=[source]), "clicks")
    >>> value = b'{"user": "u1", "clicked": true, "offer": {"price": 3.5}}'
    >>> message = SimpleNamespace(offset=7, timestamp=1000, key=None, value=value)
    >>> (mapped,) = mapping.map(2, message)
    >>> mapping.seal(mapped)
    b'{"id":"clicks/2/7","source":"clicks/2/7","time":1.0,"label":true,"features":{"price":3.5}}'
    """

    def __init__(self, task: Task, topic: str):
        self.task, self.topic = task, topic
        self.reader = Reader(task)
        self._rules = [Rules(source) for source in task.sources or () if source.topic == topic]
        self._has_rows = len(self._rules) > 1 or self._rules[0].rows is not None

    def map(self, partition: int, message: KafkaMessage) -> Iterator[Mapped | Rejected | LeftOut]:
        """Yield the outcome of each row of a message of this partition, numbered from 0 in their order."""
        value, row = message.value, 0
        if value is None:
            yield LeftOut(0)
            return
        try:
            document = decode(value)
        except RecordError as error:
            yield Rejected(0, error.code, str(error), value)
            return
        for rules in self._rules:
            try:
                rows = rules.rows_of(document)
            except RecordError as error:
                yield Rejected(row, error.code, str(error), value)
                row += 1
                continue
            for each in rows:
                try:
                    yield self._map_row(rules, partition, message, row, each)
                except RecordError as error:
                    yield Rejected(row, error.code, str(error), rules.line_of(message, each))
                row += 1

    def seal(self, mapped: Mapped) -> bytes:
        """Check and encode a record; equal parts give equal bytes. RecordError if the record must not be folded."""
        try:
            line = msgspec.json.encode(mapped.parts)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise _error(f"the record is nothing that JSON can hold: {plain(error)}.", "Correct the mapping.") from None
        try:
            self.reader.read_record(line)
        except MissingFeatureError as error:
            remedy = f"The mapping finds nothing for it: was a field of the source renamed? {error.remedy}"
            raise RecordError(error.what, remedy, error.code) from None
        return line

    def _map_row(self, rules: "Rules", partition: int, message: KafkaMessage, row: int, each: Json) -> Mapped | LeftOut:
        if rules.when is not None and not rules.find("when", rules.when, each):
            return LeftOut(row)
        place = f"{self.topic}/{partition}/{message.offset}"
        source = f"{place}/{row}" if self._has_rows else place
        label, features = rules.label_of(each), rules.features_of(each)
        record_id = rules.text_of("id", each)
        if record_id is None and (label is None or features is None) and rules.id is not None:
            raise _error(
                "a question or a label has no id: 'id' finds null.",
                "Map an id that the question and its label share.",
                "incomplete",
            )
        parts: dict[str, Json] = {"id": source if record_id is None else record_id, "source": source}
        time = rules.time_of(each)
        if time is None and message.timestamp >= 0:
            time = message.timestamp / 1000
        if time is not None:
            parts["time"] = time
        if label is not None:
            parts["label"] = label
        if features is not None:
            parts["features"] = features
        entity = rules.text_of("key", each)
        key = message.key if entity is None else entity.encode()
        shards = self.task.partitions
        shard = partition % shards if key is None else partition_of(key, shards)
        return Mapped(row, shard, key, parts, rules.line_of(message, each))


class Rules:
    """Applies the compiled expressions of one source to a document."""

    def __init__(self, source: Source):
        self.source = source
        compiled = {name: compile_expression(expression) for name, expression in source.expressions()}
        self.rows, self.when, self.label = compiled.get("rows"), compiled.get("when"), compiled.get("label")
        self.id, self.key, self.time = compiled.get("id"), compiled.get("key"), compiled.get("time")
        self.features = compiled.get("features")
        self.by_feature = {
            name.removeprefix("features."): expression
            for name, expression in compiled.items()
            if name.startswith("features.")
        }

    def find(self, name: str, expression: Expression, document: Json) -> Json:
        """Apply the expression of this name to a document and return its value; RecordError if it fails."""
        try:
            return expression(document)
        except Exception as error:  # noqa: BLE001 a function may fail in any way, and only this message is concerned
            reason = " ".join(plain_failure(error).split())[:200]
            raise _error(
                f"'{name}' of the mapping cannot be applied: {reason}.", "Correct the message or the mapping."
            ) from None

    def rows_of(self, document: Json) -> Sequence[Json]:
        """Return the rows of a message; RecordError if there are more than the event log takes in one message."""
        if self.rows is None:
            return (document,)
        rows = self.find("rows", self.rows, document)
        if rows is None:
            return ()
        if not isinstance(rows, list):
            raise _error(
                f"'rows' of the mapping finds {_show(rows)}, not a list.", "Correct the message or the mapping."
            )
        if len(rows) > ROWS_MAX:
            what = f"'rows' of the mapping finds {len(rows)} rows in one message."
            raise _error(what, f"Send up to {ROWS_MAX}.", "too_many_rows")
        return rows

    def line_of(self, message: KafkaMessage, row: Json) -> bytes:
        """Return the bytes of a row: those of the message, unless the source has an expression for rows."""
        return (message.value or b"") if self.rows is None else msgspec.json.encode(row)

    def text_of(self, part: str, document: Json) -> str | None:
        """Return the id or the key of a row, as `part` says, or None if the row has none. A whole number becomes a string."""
        expression: Expression | None = getattr(self, part)
        text = None if expression is None else self.find(part, expression, document)
        if type(text) is int:
            text = str(text)
        if text is None or (isinstance(text, str) and 1 <= len(text) <= KEY_MAX):
            return text
        what = (
            f"'{part}' of the mapping finds {_show(text)}, no string of 1 to {KEY_MAX} characters and no whole number."
        )
        raise _error(what, "Correct the message or the mapping.")

    def time_of(self, document: Json) -> float | None:
        """Return the event time of a row in seconds since the epoch, or None if the row has none."""
        time = None if self.time is None else self.find("time", self.time, document)
        if time is None:
            return None
        unit = self.source.time_unit
        if unit == "iso8601" and isinstance(time, str):
            try:
                moment = datetime.fromisoformat(time)
            except ValueError:
                moment = None
            if moment is not None:
                return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        elif unit != "iso8601" and type(time) in (int, float) and -LARGEST <= time <= LARGEST:
            seconds = float(time / UNITS[unit])
            if seconds > TIME_MAX and (fits := next((one for one, by in UNITS.items() if time / by <= TIME_MAX), None)):
                what = f"'time' of the mapping finds {time:.0f}, which looks like {fits} and not {unit}."
                raise _error(what, f'Set time_unit = "{fits}".')
            return seconds
        wanted = "a time of ISO 8601" if unit == "iso8601" else f"a number of {unit}"
        raise _error(
            f"'time' of the mapping finds {_show(time)}, not {wanted}.", "Correct the message, or set time_unit."
        )

    def label_of(self, document: Json) -> Json:
        """Return the label of a row, or None if the row has none."""
        return None if self.label is None else self.find("label", self.label, document)

    def features_of(self, document: Json) -> dict[str, Json] | None:
        """Return the features of a row without those that are null, or None if the row has no features."""
        if self.features is None and not self.by_feature:
            return None
        if self.features is None:
            found: Json = {
                name: self.find(f"features.{name}", expression, document)
                for name, expression in self.by_feature.items()
            }
        else:
            found = self.find("features", self.features, document)
            if not isinstance(found, dict | None):
                raise _error(
                    f"'features' of the mapping finds {_show(found)}, not an object.",
                    "Correct the message or the mapping.",
                )
        features = None if found is None else {name: value for name, value in found.items() if value is not None}
        if not features and (after := find_deleted(document)):
            raise _error(
                f"this is a delete of Debezium (op = 'd', {after} = null), in which the mapping finds no feature.",
                f'Leave such messages out: when = "{after}".',
            )
        return features


def find_deleted(document: Json) -> str | None:
    """Return where a message of Debezium that tells of a deleted row would have the row, or None if it is another message.

    Examples
    --------
    >>> find_deleted({"payload": {"op": "d", "before": {"id": 7}, "after": None}}), find_deleted({"op": "d", "after": None})
    ('payload.after', 'after')
    """
    envelope, where = document, "after"
    if isinstance(document, dict) and isinstance(document.get("payload"), dict):
        envelope, where = document["payload"], "payload.after"
    is_delete = isinstance(envelope, dict) and envelope.get("op") == "d" and "after" in envelope
    return where if is_delete and envelope["after"] is None else None


def decode(value: bytes) -> Json:
    r"""Decode the JSON of a message, which may stand behind the prefix of a schema registry; RecordError if the message is not JSON.

    Examples
    --------
    >>> decode(b'\x00\x00\x00\x00\x07{"a": 1}')
    {'a': 1}
    """
    if not value:
        raise _error("the message is empty.", "Send JSON.", "empty")
    in_frame = framed(value)
    text = in_frame.body if in_frame and in_frame.is_text else value
    # A decoder's own limit is what is left of the call stack, which is not the same everywhere.
    if is_deeper(text, DEPTH_MAX):
        raise _error(f"the message is nested more than {DEPTH_MAX} deep.", "Send flatter JSON.", "not_json")
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        hint = recognise(value, flat=False) or (
            f"the message is not JSON: {plain(error)}.",
            "Send one JSON document.",
        )
        raise _error(*hint, "not_json") from None


def _show(value: object) -> str:
    return repr(value)[:80]


def _error(what: str, remedy: str, code: RefusalCode = "mapping") -> RecordError:
    return RecordError(what, remedy, code)

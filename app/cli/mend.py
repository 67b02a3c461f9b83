"""The way back for refused records: `headrace quarantine --export` writes them as lines to mend, `--replay` sends those lines again.

Each record goes back under a mark: its place in the quarantine, as the `source` of the record. The fold skips a record whose mark is not
ahead of the last one of the same code and partition (`learning/fold/sources.py`). So the records are sent in the order of their places,
and the next batch is sent only after the broker has acknowledged the last (`tables/kafka/appender.py`). Then a file that is sent twice is
learned once, wherever the first run was interrupted.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from headrace.app.cli.client import ask
from headrace.app.cli.terminal import say
from headrace.app.files.sample import find_reason
from headrace.app.settings import Settings
from headrace.learning.codes import REFUSALS, RefusalCode
from headrace.learning.errors import BrokerError, HeadraceError, RecordError
from headrace.learning.records import Reader, refuse_duplicate_keys
from headrace.learning.task import Json, Task
from headrace.tables.kafka.appender import Appender, NewMessage
from headrace.tables.kafka.latest import read_whole
from headrace.tables.kafka.partitioner import partition_of
from headrace.tables.refused import RefusedRecord, source_of

BATCH = 500
"""The number of records that are sent before their acknowledgement is awaited."""

FAULTS_MAX = 20
STORED = re.compile(r"([0-9]{1,9})/([0-9]{1,18})/([0-9]{1,9})")


class MendError(HeadraceError):
    """A file of mended records cannot be sent as it is."""

    code = "record"


class Mended(NamedTuple):
    """A mended record: its line in the file, its place in the quarantine, its code, and the message that it becomes."""

    line: int
    stored_in: int
    stored_at: int
    row: int
    code: str
    message: NewMessage

    @property
    def place(self) -> tuple[int, int, int]:
        """The place of the record in the quarantine."""
        return self.stored_in, self.stored_at, self.row


def export_records(settings: Settings, task: Task, target: Path, reason: RefusalCode | None) -> None:
    """Write all records of the quarantine, or those of one code, to a new file; control records are left out, since no file sends them."""

    async def write() -> tuple[int, int]:
        count, left_out, topic = 0, 0, f"{task.name}.quarantine"
        with target.open("x", encoding="utf-8") as file:
            async for message in read_whole(settings.brokers, topic, range(task.partitions)):
                record = RefusedRecord.of(message)
                if reason in (None, record.code):
                    for line in export_lines(record):
                        if is_control(line["record"]):
                            left_out += 1
                        else:
                            file.write(json.dumps(line) + "\n")
                            count += 1
        return count, left_out

    try:
        count, left_out = asyncio.run(write())
    except FileExistsError:
        raise click.UsageError(f"{target} is there already. Name a new file.") from None
    say(f"{count:,} records are in {target}. Mend the 'record' of each line, or delete the line. Then:")
    say(f"  headrace quarantine {task.name} --replay {target}")
    if left_out:
        say(
            f"{left_out:,} control records are left out, since a file cannot send them. headrace quarantine {task.name} shows why they were "
            f"refused: give the command again, such as headrace apply, or send it to POST /v1/{task.name}/control."
        )


def is_control(record: Json) -> bool:
    """Say whether a refused record is a control record, which a command sends."""
    return isinstance(record, dict) and "control" in record


def export_lines(record: RefusedRecord) -> Iterator[dict[str, Json]]:
    r"""Yield a line of the file, as JSON, for each record in a value of the quarantine. What is no JSON object is text.

    Examples
    --------
    >>> fields = {"id": "", "reason": "it says why.", "topic": "ads.events", "partition": 0, "offset": 7, "row": 0}
    >>> place = {"stored_in": 0, "stored_at": 3, "time": 0.0, "key": b"u1"}
    >>> list(export_lines(RefusedRecord(code="label", value=b'{"label": 3}', **fields, **place)))
    [{'stored': '0/3/0', 'code': 'label', 'reason': 'it says why.', 'topic': 'ads.events', 'key': 'u1', 'record': {'label': 3}}]
    """
    key = None if record.key is None else record.key.decode(errors="surrogateescape")
    for row, value in record.lines():
        yield {
            "stored": f"{record.stored_in}/{record.stored_at}/{row}",
            "code": record.code,
            "reason": record.reason,
            "topic": record.topic,
            "key": key,
            "record": _decode(value),
        }


def replay_records(
    settings: Settings, task: Task, source: Path, reason: RefusalCode | None, *, dry_run: bool = False
) -> None:
    """Send the records of a mended file again, in their order, but for those that were sent before.

    Raises
    ------
    MendError
        A line cannot be sent; nothing is.
    """
    mended = [one for one in read_mended(task, source) if reason in (None, one.code)]
    sent = how_far(ask(settings, "GET", f"/v1/{task.name}/quarantine?limit=1"))
    new = [one for one in mended if is_ahead(one, sent)]
    passed = (
        f"{len(mended) - len(new):,} were sent before, or lie before one that was" if len(new) < len(mended) else ""
    )
    if dry_run:
        say("; ".join(filter(None, [f"{len(new):,} records would be sent", passed])) + ".")
        return
    try:
        asyncio.run(_send(settings, task, new))
    except KeyboardInterrupt:
        raise BrokerError("stopped amid the records.", "Run the same command again: none is learned twice.") from None
    say("; ".join(filter(None, [f"{len(new):,} records sent again", passed])) + ".")
    if new:
        say("What is refused again is in the quarantine again, at a new place: export it anew.")


def how_far(answer: Mapping[str, Json]) -> dict[tuple[str, int, int], tuple[int, int]]:
    """Return the last place that each shard has folded, by code, shard and partition of the quarantine."""
    return {
        (one["code"], one["shard"], one["stored_in"]): (one["stored_at"], one["row"]) for one in answer["sent_again"]
    }


def is_ahead(one: Mended, sent: Mapping[tuple[str, int, int], tuple[int, int]]) -> bool:
    """Say whether a shard would fold a record: it lies behind the last one of its code that was sent again."""
    last = sent.get((one.code, one.message.partition, one.stored_in))
    return last is None or (one.stored_at, one.row) > last


def read_mended(task: Task, source: Path) -> list[Mended]:
    """Read and check a file of mended records, in the order in which they are to be sent.

    Raises
    ------
    MendError
        A line is wrong; the text names the first ones.
    """
    reader, mended, faults, lines = Reader(task), list[Mended](), list[str](), dict[tuple[int, int, int], int]()
    with source.open(encoding="utf-8", errors="replace") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                one = read_line(task, reader, number, text)
            except ValueError as error:
                faults.append(f"line {number}: {error}")
                continue
            if (before := lines.setdefault(one.place, number)) != number:
                faults.append(f"line {number}: it has the place of line {before}.")
            mended.append(one)
    if faults:
        more = f" And {len(faults) - FAULTS_MAX:,} more." if len(faults) > FAULTS_MAX else ""
        what = f"{source} cannot be sent, and nothing was: " + " ".join(faults[:FAULTS_MAX]) + more
        raise MendError(what, "Mend these lines, or delete them.")
    return sorted(mended, key=lambda one: one.place)


def read_line(task: Task, reader: Reader, number: int, text: str) -> Mended:
    """Read and check one line of a mended file; ValueError if its record must not be sent."""
    try:
        line = json.loads(text)
        stored, code, key, record = line["stored"], line["code"], line["key"], line["record"]
        place = STORED.fullmatch(stored)
    except (ValueError, KeyError, TypeError):
        raise ValueError("it is no line of an export.") from None
    if place is None or code not in REFUSALS or not (key is None or isinstance(key, str)):
        raise ValueError("its 'stored', 'code' or 'key' is not that of an export.")
    if not isinstance(record, dict) or is_control(record):
        raise ValueError("its 'record' is not a JSON object, or is a control record, which has its own command.")
    stored_in, stored_at, row = map(int, place.groups())
    if stored_in >= task.partitions:
        raise ValueError(f"its 'stored' names partition {stored_in}, and the task has {task.partitions}.")
    mark = f"{source_of(task.name, code)}/{stored_in}/{stored_at}/{row}"
    value = json.dumps(record | {"source": mark}).encode()
    if reason := find_reason(reader, value):
        raise ValueError(reason)
    encoded = None if key is None else key.encode(errors="surrogateescape")
    is_of_log = line.get("topic") == task.events  # the shard that refused it, also if another partitioner had placed it
    partition = stored_in if encoded is None or is_of_log else partition_of(encoded, task.partitions)
    return Mended(number, stored_in, stored_at, row, code, NewMessage(partition, encoded, value))


async def _send(settings: Settings, task: Task, mended: list[Mended]) -> None:
    appender = Appender(task.events, settings.brokers)
    try:
        for start in range(0, len(mended), BATCH):
            batch = mended[start : start + BATCH]
            refused = await appender.append([one.message for one in batch], stops=True)
            if refused:
                line = batch[refused[0]].line
                raise MendError(f"the record of line {line} is too large for the broker.", "Shorten it, and go on.")
    finally:
        await appender.stop()


def _decode(value: bytes) -> Json:
    """Decode an object; or return the text, of what is none, or would not be the same when it is encoded again."""
    try:
        decoded = msgspec.json.decode(value)
        refuse_duplicate_keys(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, RecordError):
        decoded = None
    return decoded if isinstance(decoded, dict) else value.decode(errors="replace")

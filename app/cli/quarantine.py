"""`headrace quarantine`: why records were refused, what to do about it, and some of them; their export, and the way back."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast, get_args

import click
import msgspec
from rich.table import Table

from headrace.app.answers import StoredRefusal
from headrace.app.cli.mend import export_records, replay_records
from headrace.app.cli.options import as_json, asking, task_of
from headrace.app.cli.past import find_topic, telling_of_broker
from headrace.app.cli.screen import Screen
from headrace.app.cli.terminal import say, say_json, shortened
from headrace.app.settings import Settings
from headrace.learning.codes import REFUSALS, RefusalCode
from headrace.learning.errors import BrokerError
from headrace.learning.task import Task
from headrace.tables.kafka.latest import Latest, read_latest
from headrace.tables.refused import RefusedRecord

READ_BYTES = 256 << 20
"""About how many bytes of records are read: no more are read from then on."""


@click.command()
@asking
@click.argument("task")
@click.option(
    "--reason",
    "--code",
    "reason",
    type=click.Choice(get_args(RefusalCode)),
    metavar="CODE",
    help="Records of this code only.",
)
@click.option("--limit", type=click.IntRange(0), default=3, show_default=True, help="How many records of each code.")
@click.option(
    "--last",
    type=click.IntRange(1, 1_000_000),
    default=10_000,
    show_default=True,
    help="How many records to count: the newest ones.",
)
@click.option(
    "--export", "target", type=click.Path(path_type=Path), help="Write all records to this new file, to mend."
)
@click.option(
    "--replay", "source", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Send a mended file again."
)
@click.option(
    "--dry-run", is_flag=True, help="With --replay: check the file, say what would be sent, and send nothing."
)
@as_json
def quarantine(
    *,
    settings: Settings,
    task: str,
    reason: RefusalCode | None,
    limit: int,
    last: int,
    target: Path | None,
    source: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Show how many records of TASK were refused for each reason, what to do, and the newest of them.

    --export writes the refused records to a file, one JSON object a line. Mend the `record` of each line, and delete the lines that cannot
    be mended; control records are left out, since their commands send them. --replay sends the records of such a file again, each under its place in the quarantine: the shards learn none twice, so the
    command can be interrupted and run again. It asks a worker how far records were sent before, which takes the role admin. Those of one
    code are sent in their order: a line that was deleted is passed over for good once a later one of its code was sent.
    """
    wanted = task_of(settings, task)
    if target is not None and source is not None:
        raise click.UsageError("Choose one of --export and --replay.")
    with telling_of_broker(settings):
        if source is not None:
            replay_records(settings, wanted, source, reason, dry_run=dry_run)
            return
        asyncio.run(_check_topic(settings, wanted))
        if target is not None:
            export_records(settings, wanted, target, reason)
            return
        latest = asyncio.run(_read(settings, wanted, last))
    records = [RefusedRecord.of(message) for message in latest.messages]
    chosen = [record for record in records if reason in (None, record.code)]
    counts = Counter(record.code for record in chosen)
    samples = [one for code, _ in counts.most_common() for one in _first(chosen, code, limit)]
    if as_json:
        shown = [msgspec.to_builtins(StoredRefusal.of(record)) for record in samples]
        answer = {"counts": dict(counts.most_common()), "counted": len(records), "kept": latest.kept, "records": shown}
        say_json(answer)
    else:
        _show(wanted, counts, samples, len(records), latest.kept)


async def _check_topic(settings: Settings, task: Task) -> None:
    found = await find_topic(settings, f"{task.name}.quarantine")
    if found is None or not found.partitions:
        raise BrokerError(f"there is no topic {task.name}.quarantine yet.", "A starting worker makes it.")


async def _read(settings: Settings, task: Task, last: int) -> Latest:
    topic, partitions = f"{task.name}.quarantine", range(task.partitions)
    return await read_latest(settings.brokers, topic, partitions, last, most_bytes=READ_BYTES)


def _first(records: Iterable[RefusedRecord], code: str, count: int) -> Sequence[RefusedRecord]:
    return [record for record in records if record.code == code][:count]


def _show(task: Task, counts: Counter[str], samples: Sequence[RefusedRecord], counted: int, kept: int) -> None:
    console = Screen()
    if not counted:
        say(f"The quarantine of {task.name} is empty.")
        return
    table = Table("reason", "count", "what it means", "what to do", show_lines=True)
    for code, count in counts.most_common():
        meaning = REFUSALS.get(cast("RefusalCode", code))
        sentence, remedy = meaning or ("Another program has written it.", "Look at the record.")
        table.add_row(code, f"{count:,}", sentence, remedy)
    console.print(table)
    what = "all of them" if counted >= kept else f"the newest {counted:,}"
    say(f"{kept:,} records are in {task.name}.quarantine; counted: {what}.")
    for number, record in enumerate(samples):
        if number == 0 or record.code != samples[number - 1].code:
            say("", record.code, bold=True)
        when = f"{datetime.fromtimestamp(record.time, UTC):%Y-%m-%d %H:%M:%S}"
        say(f"{when} {record.topic} {record.partition}/{record.offset} {record.reason}", whole=True)
        say(f"  {shortened(record.value.decode(errors='replace'))}", whole=True)

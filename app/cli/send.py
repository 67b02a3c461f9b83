"""`headrace send`: appends samples to a task's event log."""

import asyncio
import sys
from collections import deque
from collections.abc import Iterator
from itertools import islice
from time import monotonic

import click
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from headrace.app.cli.delay import delayed
from headrace.app.cli.options import asking, task_of
from headrace.app.cli.screen import Screen
from headrace.app.cli.terminal import say
from headrace.app.files.sample import SAMPLE_MAX, Sample, SampleSource
from headrace.app.files.sources import Named, open_source
from headrace.app.settings import Settings
from headrace.learning.errors import BrokerError
from headrace.learning.plain import plain_failure
from headrace.learning.records import ROWS_MAX
from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers

UNACKNOWLEDGED_MAX = 5_000
"""The number of messages under way at once: enough to keep a broker busy, few enough to stop soon."""

SHOW_SECONDS = 0.1
"""How often the progress is updated."""

SHOWN_MAX = 20
"""The number of refused rows that are shown one by one."""


@click.command()
@asking
@click.argument("task")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--label", metavar="COLUMN", help="The column of the label; otherwise that of the settings, or 'label'.")
@click.option("--id", "identity", metavar="COLUMN", help="The column of the id; otherwise that of the settings.")
@click.option("--time", metavar="COLUMN", help="The column of the event time; otherwise that of the settings.")
@click.option(
    "--key", metavar="COLUMN", help="The column or feature whose value is the message key: it decides the shard."
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Send the first N rows only.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), metavar="ROWS_PER_S", help="Send no faster.")
@click.option(
    "--pack", type=click.IntRange(1, ROWS_MAX), default=1, metavar="ROWS", help="Put up to ROWS rows into a message."
)
@click.option(
    "--delay",
    type=click.IntRange(0),
    metavar="ROWS",
    help="Send each sample as a question, and its label ROWS rows later.",
)
@click.option("--skip-invalid", is_flag=True, help="Leave invalid rows out, instead of stopping at the first one.")
def send(
    *,
    settings: Settings,
    task: str,
    sources: tuple[str, ...],
    label: str | None,
    identity: str | None,
    time: str | None,
    key: str | None,
    limit: int | None,
    rate: float | None,
    pack: int,
    delay: int | None,
    skip_invalid: bool,
) -> None:
    """Append the samples of SOURCE to the event log of TASK.

    SOURCE is a text table with a header (CSV, TSV, any delimiter), JSON with one row or record a line, a Parquet or Arrow file; a glob
    of such files; - for standard input; or river:NAME, a data set of River (river:Phishing). Files packed by gzip, bz2, xz or zstd are
    unpacked.

    Encoding, delimiter and decimal sign are found by looks, and what is a guess is said. A column has one type: the type that the settings
    declare for the feature, or the type of its first 1,000 rows: numbers, dates, true/false, or strings (also numbers with leading
    zeros). A date becomes seconds. Empty cells, NA, NaN, null, none, ? and - are missing features. The columns of label, id, key and time
    are not features, unless declared. The table [tasks.TASK.columns] of the settings says what an option does not.

    Rows with the same key go to the same shard; without --key, messages go to the shards in turn. --pack puts consecutive rows with the
    same key into one message.

    With --delay N each row is sent as a question, and its label comes before the question N rows later, as for a team that learns its
    labels only after a while. Rows without an id get one.

    Every row is checked before it is sent. The exit status is 0 only if every row was acknowledged by the broker.
    """
    wanted = task_of(settings, task)
    opened = open_source(sources, wanted, Named(label, identity, key, time))
    say(*opened.notes, fg="yellow", err=True)
    said = len(opened.notes)
    sender = Sender(settings.brokers, wanted, rate, pack, delay, skip_invalid=skip_invalid)
    started = monotonic()
    try:
        with _progress(opened, limit, parts=1 if delay is None else 2) as progress:
            asyncio.run(sender.send_all(opened, limit, progress))
    except KeyboardInterrupt:
        say(f"Stopped: {sender.summary} were acknowledged.", fg="red", err=True)
        sys.exit(130)
    seconds = monotonic() - started
    rate_of = f"{sender.acknowledged / max(seconds, 1e-9):,.0f} {'rows' if delay is None else 'records'}/s"
    say(f"{sender.summary} acknowledged in {seconds:.1f} s ({rate_of}).")
    say(*opened.notes[said:], fg="yellow", err=True)  # of later files
    if sender.refused:
        for sample in sender.shown:
            file = f"{sample.file}, " if opened.files > 1 else ""
            say(f"{file}line {sample.line}: {sample.reason}", fg="red", err=True)
        more = f" The first {SHOWN_MAX} are shown." if sender.refused > len(sender.shown) else ""
        end = (
            f"{sender.refused:,} rows left out.{more}"
            if skip_invalid
            else f"Stopped there; {sender.summary} before it are in the log. --skip-invalid leaves such rows out, and sends from the start."
        )
        say(end, fg="red", err=True)
        sys.exit(1)


class Sender:
    """Appends samples to an event log, and counts those that were acknowledged and refused.

    Parameters
    ----------
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    task
        The task with the event log.
    rate
        The largest number of rows a second; None for no limit.
    pack
        The largest number of rows in a message.
    delay
        The number of rows after which the label of a sample follows its question; None sends samples whole.
    skip_invalid
        Whether to go on after an invalid row.
    """

    def __init__(
        self,
        brokers: Brokers | str,
        task: Task,
        rate: float | None = None,
        pack: int = 1,
        delay: int | None = None,
        *,
        skip_invalid: bool = False,
    ):
        self.brokers, self.task, self.rate, self.pack, self.delay = brokers, task, rate, pack, delay
        self.skip_invalid = skip_invalid
        self.acknowledged = self.labels = 0
        self.refused = 0
        self.shown: list[Sample] = []
        self._turn = 0
        self._under_way: deque[tuple[asyncio.Future[RecordMetadata], list[Sample]]] = deque()

    @property
    def summary(self) -> str:
        """Return the number of acknowledged rows as text; with a delay, the numbers of questions and labels."""
        if self.delay is None:
            return f"{self.acknowledged:,} rows"
        return f"{self.acknowledged - self.labels:,} questions and {self.labels:,} labels"

    async def send_all(self, source: SampleSource, limit: int | None, progress: Progress) -> None:
        """Send the samples in order; BrokerError, which says how many were acknowledged, if the broker fails."""
        from headrace.tables.kafka.producer import producing
        from headrace.tables.kafka.topics import prepare, topics_of

        await prepare(self.brokers, topics_of(self.task))
        async with producing(self.brokers, linger_ms=5, max_batch_size=1 << 18) as producer:
            started = shown = monotonic()
            taken = 0
            try:
                samples: Iterator[Sample] = islice(self._valid(source.samples), limit)
                if self.delay is not None:
                    samples = delayed(samples, self.delay, self.task.partitions)
                for rows in packed(samples, self.pack):
                    if self.rate is not None:
                        await asyncio.sleep(started + taken / self.rate - monotonic())
                    await self._append(producer, rows)
                    taken += len(rows)
                    now = monotonic()
                    if now < shown + SHOW_SECONDS:
                        continue
                    shown, done = now, source.done() if source.done and limit is None else taken
                    progress.update(progress.task_ids[0], completed=done, rows=taken, speed=taken / (now - started))
                await self._await_acknowledged(0)
            except (KafkaError, OSError) as error:
                await self._count_rest()
                what = f"the broker at {self.brokers} failed: {plain_failure(error)}. {self.summary} were acknowledged."
                raise BrokerError(what, "Look at the broker, then send the rest.") from None

    def _valid(self, samples: Iterator[Sample]) -> Iterator[Sample]:
        for sample in samples:
            if not sample.reason:
                yield sample
                continue
            self.refused += 1
            if len(self.shown) < SHOWN_MAX:
                self.shown.append(sample)
            if not self.skip_invalid:
                return

    async def _append(self, producer: AIOKafkaProducer, rows: list[Sample]) -> None:
        key, partition = rows[0].key, None
        if key is None:
            partition, self._turn = self._turn, (self._turn + 1) % self.task.partitions
        value = b"\n".join(row.value for row in rows)
        encoded = None if key is None else key.encode()
        future = await producer.send(self.task.events, value, key=encoded, partition=partition)
        self._under_way.append((future, rows))
        await self._await_acknowledged(UNACKNOWLEDGED_MAX)

    async def _await_acknowledged(self, left: int) -> None:
        while len(self._under_way) > left:
            future, rows = self._under_way[0]
            await future
            self._under_way.popleft()
            self._count(rows)

    async def _count_rest(self) -> None:
        answers = await asyncio.gather(*(future for future, _ in self._under_way), return_exceptions=True)
        for (_, rows), answer in zip(self._under_way, answers, strict=True):
            if not isinstance(answer, BaseException):
                self._count(rows)

    def _count(self, rows: list[Sample]) -> None:
        self.acknowledged += len(rows)
        self.labels += sum(row.is_label for row in rows)


def packed(samples: Iterator[Sample], count: int) -> Iterator[list[Sample]]:
    """Yield runs of consecutive samples with the same key, up to `count` samples and the size that a broker takes."""
    rows: list[Sample] = []
    size = 0
    for sample in samples:
        if rows and (len(rows) == count or sample.key != rows[0].key or size + len(sample.value) > SAMPLE_MAX):
            yield rows
            rows, size = [], 0
        rows.append(sample)
        size += len(sample.value) + 1
    if rows:
        yield rows


def _progress(source: SampleSource, limit: int | None, parts: int) -> Progress:
    """Make the progress line: rows, rows/s, time left. It is hidden if stderr is not a terminal."""
    console = Screen(stderr=True)
    speed = TextColumn("{task.fields[rows]:,} rows  {task.fields[speed]:,.0f} rows/s")
    progress = Progress(
        BarColumn(),
        TaskProgressColumn(),
        speed,
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    counted = limit is not None or source.done is None
    total = limit if limit is not None and source.done else min(source.total, limit or source.total) or None
    if counted and total is not None:
        total *= parts
    progress.add_task("send", total=total, rows=0, speed=0.0)
    return progress

"""`headrace warm-start`: train a model on a history, in files or in the log, and install it."""

import time
from collections.abc import Sequence
from typing import Any

import click
import msgspec
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from headrace.app.cli.installing import Made, install_made, shards_of
from headrace.app.cli.jobs import asking, run_job
from headrace.app.cli.options import task_of
from headrace.app.cli.places import PLACE, find_ranges
from headrace.app.cli.screen import Screen
from headrace.app.cli.terminal import say, say_json
from headrace.app.files.opening import STDIN
from headrace.app.files.sample import Sample
from headrace.app.files.sources import Named, open_source
from headrace.app.settings import Settings
from headrace.learning.encoding import encode
from headrace.learning.errors import RecordError
from headrace.learning.fold.history import HistoryFold
from headrace.learning.task import Task

SHOW_SECONDS = 0.1
"""How often the progress is shown."""

SHOWN_MAX = 20
"""Refused rows that are shown one by one."""


class Pass(msgspec.Struct):
    """What came of one pass over the history: rows, labels learned, rows left out, and the metrics of this pass alone."""

    rows: int = 0
    learned: int = 0
    left_out: int = 0
    metrics: dict[str, float | None] = {}


@click.command("warm-start")
@asking
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option("--from", "start", metavar=PLACE, help="Log: the range begins at this offset, or time.")
@click.option("--to", "end", metavar=PLACE, help="Log: the range ends before this offset, or with this time.")
@click.option("--label", metavar="COLUMN", help="File: the column of the label; otherwise that of the settings.")
@click.option("--id", "identity", metavar="COLUMN", help="File: the column of the id; otherwise that of the settings.")
@click.option("--key", metavar="COLUMN", help="File: the column of the key; otherwise that of the settings.")
@click.option(
    "--passes",
    type=click.IntRange(1, 1000),
    default=1,
    metavar="N",
    help="How often to go over the rows, or the range.",
)
@click.option(
    "--skip-invalid", is_flag=True, help="File: leave invalid rows out, instead of stopping at the first one."
)
def warm_start(
    settings: Settings,
    task: str,
    files: tuple[str, ...],
    *,
    start: str | None,
    end: str | None,
    detach: bool,
    limit_s: float | None,
    label: str | None,
    identity: str | None,
    key: str | None,
    passes: int,
    skip_invalid: bool,
    partitions: tuple[int, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train the model of TASK on a history, and install it in every shard. Learning goes on from there.

    The history is in files, or it is a range of the task's own log.

    Of FILE... one model is made here and installed in every shard, pinned, because the log cannot make it again. FILE is what headrace send takes; several are read one after the other. The rows are checked
    and learned here, by the settings of the task, as if they stood in a log; nothing is appended to the event log but the control record.

    With --from or --to a job of each shard goes over that range of its log so often, and once over what has come after it. So it is up to date
    when it is installed, and it can be made again from the log. A position is the same offset in every shard; a time, ISO 8601 or seconds
    since the epoch, is the Kafka timestamp of the first and of the last message of the range.

    The metrics of the first pass over files are those of predictions made before each label was learned. A later pass scores rows that the model knows.
    """
    wanted = task_of(settings, task)
    if start is not None or end is not None:
        if files or label or identity or key or skip_invalid:
            raise click.UsageError(
                "Name files or a range of the log. --label, --id, --key and --skip-invalid go with files."
            )
        ranges = find_ranges(settings, wanted, shards_of(wanted, partitions), start, end)
        recipe = {"why": "warm_start", "passes": passes}
        how: dict[str, Any] = {"detach": detach, "limit_s": limit_s, "dry_run": dry_run, "as_json": as_json}
        run_job(settings, wanted, recipe, None, ranges=ranges, partitions=partitions, **how)
        return
    if not files:
        raise click.UsageError("Name a FILE, or a range of the log with --from or --to.")
    if detach or limit_s is not None:
        raise click.UsageError(
            "--detach and --limit go with --from or --to: nothing waits while files are learned here."
        )
    if passes > 1 and STDIN in files:
        raise click.UsageError("standard input can be read once: --passes goes with files.")
    shards_of(wanted, partitions)  # before the work, not after it
    training = Training(wanted, files, Named(label, identity, key), skip_invalid=skip_invalid)
    started = time.monotonic()
    with _progress() as progress:
        results = training.run(passes, progress)
    seconds = time.monotonic() - started
    made = Made(encode(training.fold.champion.model), training.fold.champion.made_of, training.fold.champion.updates)
    if not as_json:
        for number, one in enumerate(results, 1):
            say(describe(number, one))
        rate = sum(one.rows for one in results) / max(seconds, 1e-9)
        say(f"Trained in {seconds:.1f} s ({rate:,.0f} rows/s): {made.updates:,} updates, digest {made.digest[:16]}.")
    about = {"digest": made.digest, "updates": made.updates, "seconds": round(seconds, 3)}
    about["passes"] = msgspec.to_builtins(results)
    if dry_run:
        say_json(about) if as_json else say("A dry run: nothing is installed.")
        return
    install_made(settings, wanted, made, about, partitions=partitions, dry_run=False, as_json=as_json)


class Training:
    """Folds the rows of files in memory.

    Parameters
    ----------
    task
        Whose model is trained.
    files, named
        What is read, as by `headrace send`.
    skip_invalid
        Whether to go on after a row that is refused.
    """

    def __init__(self, task: Task, files: Sequence[str], named: Named, *, skip_invalid: bool):
        self.task, self.files, self.named, self.skip_invalid = task, files, named, skip_invalid
        self.fold = HistoryFold(task)
        self._shown = 0

    def run(self, passes: int, progress: Progress) -> list[Pass]:
        """Go over all files so often; what came of each pass.

        Raises
        ------
        RecordError
            A row is refused and must not be skipped, or there was nothing to learn.
        """
        bar = progress.add_task("", total=passes, rows=0, speed=0.0)
        started, rows, results = time.monotonic(), 0, list[Pass]()
        for number in range(passes):
            if number:
                self.fold.begin_again()
            before, result = self.fold.champion.updates, Pass()
            source = open_source(self.files, self.task, self.named)
            if not number:
                say(*source.notes, fg="yellow", err=True)
            said = len(source.notes)
            shown = 0.0
            for at, sample in enumerate(source.samples, 1):
                self._learn(sample, result)
                now = time.monotonic()
                if now >= shown + SHOW_SECONDS:
                    part = (source.done() if source.done else at) / max(source.total, 1)
                    speed = (rows + result.rows) / max(now - started, 1e-9)
                    progress.update(bar, completed=number + part, rows=rows + result.rows, speed=speed)
                    shown = now
            if not number:
                say(*source.notes[said:], fg="yellow", err=True)  # of later files
            for refused in self.fold.end():
                self._leave_out("at the end", refused.reason, result)
            rows += result.rows
            result.learned = self.fold.champion.updates - before
            result.metrics = self.fold.champion.scoreboard.figures()
            results.append(result)
            if not self.fold.champion.updates:
                raise RecordError("there was no label to learn.", "Name a file with labels; for a CSV see --label.")
        return results

    def _learn(self, sample: Sample, result: Pass) -> None:
        result.rows += 1
        reasons = [sample.reason] if sample.reason else [one.reason for one in self.fold.learn(sample.value)]
        for reason in reasons:
            self._leave_out(f"{sample.file}, line {sample.line}", reason, result)

    def _leave_out(self, where: str, reason: str, result: Pass) -> None:
        result.left_out += 1
        if not self.skip_invalid:
            raise RecordError(f"{where}: {reason}", "Nothing is installed. --skip-invalid goes on without it.")
        if self._shown < SHOWN_MAX:
            self._shown += 1
            say(f"{where}: {reason}", fg="red", err=True)


def describe(number: int, one: Pass) -> str:
    """Say in a line what came of a pass.

    Examples
    --------
    >>> describe(1, Pass(rows=1250, learned=1249, left_out=1, metrics={"accuracy": 0.8872, "f1": None}))
    'pass 1: 1,250 rows, 1,249 labels learned, 1 left out; accuracy 0.8872'
    """
    figures = [f"{name} {value:.4f}" for name, value in one.metrics.items() if value is not None]
    left_out = f", {one.left_out:,} left out" if one.left_out else ""
    return f"pass {number}: {one.rows:,} rows, {one.learned:,} labels learned{left_out}; {', '.join(figures) or 'nothing scored'}"


def _progress() -> Progress:
    """A line on the terminal: rows, rows/s, time left; nothing where there is no terminal."""
    console = Screen(stderr=True)
    speed = TextColumn("{task.fields[rows]:,} rows  {task.fields[speed]:,.0f} rows/s")
    columns = BarColumn(), TaskProgressColumn(), speed, TimeRemainingColumn()
    return Progress(*columns, console=console, disable=not console.is_terminal)

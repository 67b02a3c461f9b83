"""`headrace retrain`, `unlearn`, `migrate` and `jobs`: models that are made from the log and then installed."""

import json
import sys
import time
from collections.abc import Mapping
from secrets import token_hex

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from headrace.app.cli.client import ask
from headrace.app.cli.control import Function, controlling, lacking, send_control, tell
from headrace.app.cli.installing import shards_of
from headrace.app.cli.options import task_of
from headrace.app.cli.places import PLACE, find_ranges, seconds_of
from headrace.app.cli.screen import Screen
from headrace.app.cli.terminal import say, say_json
from headrace.app.settings import Settings
from headrace.learning.errors import HeadraceError
from headrace.learning.plain import plain_failure
from headrace.learning.task import Json, Task

LOOK_SECONDS = 0.3
"""How often to look how far a job is."""


class JobError(HeadraceError):
    """A job ended without a model."""

    code = "job"


def asking(function: Function) -> Function:
    """Add what every job takes."""
    detach = click.option("--detach", is_flag=True, help="Do not wait for the end; see headrace jobs.")
    limit = click.option(
        "--limit", "limit_s", type=float, metavar="SECONDS", help="How long the shard may wait at the end."
    )
    return controlling(detach(limit(function)))


@click.command()
@asking
@click.option("--from", "start", metavar=PLACE, help="Learn from this offset, or from this time on.")
@click.option("--passes", type=click.IntRange(1, 1000), default=1, help="How often to go over the records.")
@click.option("--model", help="Another model: a catalogue name, a JSON object, or module:function.")
def retrain(
    settings: Settings, task: str, *, start: str | None, passes: int, model: str | None, **options: Json
) -> None:
    """Learn the log of TASK anew, or its later part, beside the model that serves; then install what was made.

    Until then everything goes on. Not a record is lost, and none is learned twice.

    A time, ISO 8601 or seconds since the epoch, is the Kafka timestamp of the first message that is learned, in each shard.
    """
    recipe = {"why": "retrain", "passes": passes}
    wanted = task_of(settings, task)
    ranges = find_ranges(settings, wanted, shards_of(wanted, options["partitions"]), start)
    run_job(settings, wanted, recipe, parse_model(model), ranges=ranges, **options)


@click.command()
@asking
@click.option("--id", "ids", multiple=True, help="Leave out the record of this id; may be repeated.")
@click.option("--ids", "file", type=click.File(), help="Leave out the ids in this file, one a line.")
@click.option(
    "--positions", multiple=True, metavar="START-END", help="Leave out offsets from START up to but not including END."
)
@click.option("--source", "sources", multiple=True, metavar="TOPIC[/PARTITION]", help="Leave out what came from there.")
@click.option(
    "--time",
    "periods",
    nargs=2,
    multiple=True,
    metavar="START END",
    help="Leave out this period: ISO 8601, or seconds since the epoch.",
)
def unlearn(
    settings: Settings,
    task: str,
    *,
    ids: tuple[str, ...],
    file: click.utils.LazyFile | None,
    positions: tuple[str, ...],
    sources: tuple[str, ...],
    periods: tuple[tuple[str, str], ...],
    **options: Json,
) -> None:
    """Take records out of the model of TASK: it becomes the one that has never seen them."""
    named = [*ids, *(line.strip() for line in file or () if line.strip())]
    without: dict[str, Json] = {
        "ids": named,
        "positions": [_range(text) for text in positions],
        "sources": list(sources),
        "times": [{"start": seconds_of(start), "end": seconds_of(end)} for start, end in periods],
    }
    if not any(without.values()):
        raise click.UsageError("Say what to leave out: --id, --ids, --positions, --source or --time.")
    run_job(settings, task_of(settings, task), {"why": "unlearn", "without": without}, None, **options)


@click.command()
@asking
def migrate(settings: Settings, task: str, **options: Json) -> None:
    """Make the model of TASK anew from the whole log, as after another version of a library."""
    run_job(settings, task_of(settings, task), {"why": "migrate"}, None, **options)


@click.command()
@controlling
@click.option("--cancel", metavar="JOB", help="End this job without a model.")
def jobs(
    settings: Settings, task: str, *, cancel: str | None, partitions: tuple[int, ...], dry_run: bool, as_json: bool
) -> None:
    """Show the jobs of TASK that are under way, or cancel one."""
    wanted = task_of(settings, task)
    if cancel is not None:
        record: dict[str, Json] = {"control": "cancel", "job": cancel, "why": "cancelled by hand"}
        send_control(settings, wanted, record, partitions=partitions, dry_run=dry_run, as_json=as_json)
        return
    found = [job for job in standing(settings, wanted) if not partitions or job["partition"] in partitions]
    if as_json:
        say_json({"jobs": found})
        return
    if not found:
        say("No job is under way.")
        return
    table = Table("job", "kind", "shard", "state", "done", "rows/s", "left", "attempts", "error")
    for job in found:
        left = "" if job["left_s"] is None else f"{job['left_s']:.0f} s"
        cells = [
            job["id"],
            job["kind"],
            job["partition"],
            job["state"],
            f"{job['percent']:g} %",
            f"{job['rows_per_s']:,.0f}",
            left,
        ]
        table.add_row(*map(str, [*cells, job["attempts"], job["error"] or ""]))
    Screen().print(table)


def run_job(
    settings: Settings,
    task: Task,
    recipe: dict[str, Json],
    model: Json,
    *,
    ranges: Mapping[int, dict[str, int]] | None = None,
    detach: bool,
    limit_s: float | None,
    partitions: tuple[int, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Ask for a job, and watch it to its end. JobError if it ended without a model.

    `ranges` is what else the recipe says in each shard, where it is not the same in all.
    """
    kind = recipe["why"].replace("_", "-")
    name = f"{kind}-{token_hex(3)}"
    record = {"control": "job", "job": name, "recipe": recipe, "model": model, "limit_s": limit_s}
    record = {key: value for key, value in record.items() if value is not None}
    records = _by_range(record, partitions, ranges)
    if dry_run or (detach and len(records) == 1):
        for one, parts in records:
            send_control(settings, task, one, partitions=parts, dry_run=dry_run, as_json=as_json)
        return
    asked: dict[str, Json] = {"shards": []}
    for one, parts in records:
        body = one | {"by": f"headrace {kind}", "partitions": sorted(parts or range(task.partitions)), "wait_s": 30}
        answer = ask(settings, "POST", f"/v1/{task.name}/control", body, timeout=40)
        asked = answer | {"shards": asked["shards"] + answer["shards"]}
    if detach:
        tell(asked, as_json=as_json)
        sys.exit(lacking(asked) is not None)
    wanted = set(partitions or range(task.partitions))
    if refused := [one["did"] for one in asked["shards"] if one["did"] and one["did"].startswith("refused")]:
        raise JobError(f"{refused[0].removeprefix('refused: ').rstrip('.')}.", "See headrace jobs.")
    late = {one["partition"] for one in asked["shards"] if not one["did"]}
    ended = _watch(settings, task, name, wanted, asked=asked["id"], late=late)
    if as_json:
        shards = [{"partition": at, "did": ended[at]} for at in sorted(ended)]
        say_json({"job": name, "shards": shards})
    for at in sorted(ended) if not as_json else ():
        say(f"shard {at}: {ended[at]}")
    if failed := [at for at in sorted(ended) if not ended[at].startswith("installed")]:
        what = "; ".join(f"shard {at} has no new model: {ended[at].rstrip('.')}" for at in failed)
        raise JobError(f"{name}: {what}.", "See its log.")


def _by_range(
    record: dict[str, Json], partitions: tuple[int, ...], ranges: Mapping[int, dict[str, int]] | None
) -> list[tuple[dict[str, Json], tuple[int, ...]]]:
    """Give the record for each range, and its shards; no shards are all. Records that go to several shards have one id.

    Examples
    --------
    >>> one, other = _by_range({"job": "j", "recipe": {}}, (), {0: {"start": 5}, 1: {"start": 7}, 2: {"start": 5}})
    >>> one
    ({'job': 'j', 'recipe': {'start': 5}, 'id': 'ask-j'}, (0, 2))
    >>> other[1]
    (1,)
    >>> _by_range({"job": "j", "recipe": {}}, (), {0: {"start": 5}, 1: {"start": 5}})
    [({'job': 'j', 'recipe': {'start': 5}}, ())]
    """
    if ranges is None:
        return [(record, partitions)]
    shards: dict[tuple[tuple[str, int], ...], tuple[int, ...]] = {}
    for at, one in ranges.items():
        key = tuple(one.items())
        shards[key] = (*shards.get(key, ()), at)
    records = [(record | {"recipe": record["recipe"] | dict(key)}, parts) for key, parts in shards.items()]
    if len(records) == 1:
        return [(records[0][0], partitions)]
    return [(one | {"id": f"ask-{record['job']}"}, parts) for one, parts in records]


def _watch(
    settings: Settings, task: Task, name: str, wanted: set[int], *, asked: str, late: set[int]
) -> dict[int, str]:
    """Show how far a job is until it has ended in every shard; return what each did at its end.

    The worker that is asked sees how far the job is in its own shards alone. Of another worker's it knows the end with the next snapshot.

    Parameters
    ----------
    settings, task
        Which worker is asked, and about what.
    name
        Of the job.
    wanted
        The shards that were asked for it.
    asked
        The id of the record that asked for it.
    late
        Shards that had not come to that record yet: they may still refuse it.
    """
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Screen(stderr=True), transient=True) as progress:
        bar, ended = progress.add_task(name, total=100), dict[int, str]()
        while True:
            found = [job for job in standing(settings, task) if job["id"] == name and job["partition"] in wanted]
            if late:
                came = _did(settings, task, asked, late)
                ended |= {at: did for at, did in came.items() if did.startswith("refused")}
                late = late - came.keys()
            ended |= _did(settings, task, name, wanted)
            if wanted <= ended.keys():
                return ended
            if found:
                progress.update(bar, completed=min(job["percent"] for job in found))
            time.sleep(LOOK_SECONDS)


def _did(settings: Settings, task: Task, name: str, wanted: set[int]) -> dict[int, str]:
    """What each shard did with the control record, or at the end of the job, of this name, of those that have come to it."""
    shards = ask(settings, "GET", f"/v1/{task.name}/control/{name}")["shards"]
    return {shard["partition"]: shard["did"] for shard in shards if shard["did"] and shard["partition"] in wanted}


def standing(settings: Settings, task: Task) -> list[dict[str, Json]]:
    """The jobs under way in the shards that the worker owns."""
    status = ask(settings, "GET", f"/v1/{task.name}")
    return [job | {"partition": shard["partition"]} for shard in status["shards"] for job in shard.get("jobs", ())]


def parse_model(model: str | None) -> Json:
    """Read a model as it may stand in the settings.

    Examples
    --------
    >>> parse_model("alma"), parse_model('{"use": "logistic", "learning_rate": 0.05}')
    ('alma', {'use': 'logistic', 'learning_rate': 0.05})
    """
    if model is None or not model.lstrip().startswith("{"):
        return model
    try:
        return json.loads(model)
    except ValueError as error:
        raise click.UsageError(f"--model is not JSON: {plain_failure(error)}.") from None


def _range(text: str) -> dict[str, int]:
    start, dash, end = text.partition("-")
    if not (dash and start.isdigit() and end.isdigit()):
        raise click.UsageError(f"'{text}' is no range of offsets: START-END, without END.")
    return {"start": int(start), "end": int(end)}

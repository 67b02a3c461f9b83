"""`headrace apply`: put the settings of a task in force."""

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping

import click
import msgspec

from headrace.app.cli.client import AnswerError, ask
from headrace.app.cli.control import append_control, controlling, lacking, send_control, tell
from headrace.app.cli.options import task_of
from headrace.app.cli.terminal import say, say_json
from headrace.app.settings import Settings
from headrace.learning.task import NEXT, Json, Task, define, differences
from headrace.learning.versions import FOUND, shard_of

EFFECTS = {
    "kind": "refused: make a new task, and fill it with headrace replay --into",
    "features": "records are checked by it from the next one on",
    "labels": "labels are checked by it from the next one on; strings cannot become whole numbers, or back",
    "wait": "holds for everything that waits, and for what comes",
    "unanswered": "holds for every question whose wait ends from now on",
    "order": "what is held for its time is folded at once if the new order is by arrival",
    "update": "what was collected is learned at once if nothing is collected any more",
    "versions": "holds from the next saved version on",
}
"""What the change of a key does; of any other it holds from the next record on."""

MODEL_EFFECTS = {
    "challenger": "learns beside the champion as the challenger next; headrace promote serves it",
    "cold": "takes the champion's place at once, untaught; the champion is saved as a version before",
    "retrain": "a job teaches it the log, and it takes the champion's place then",
    "taken_back": "it is what the champion is made of, so no challenger begins",
}
"""What a changed model does, by how it is applied; `taken_back`: by default, where the champion is made of it already."""

NEXT_EFFECTS = {
    "challenger": "the challenger next that is there now is dropped for it",
    "cold": "the challenger next is dropped",
    "retrain": "the challenger next learns on meanwhile",
    "taken_back": "the challenger next is dropped",
}
"""What becomes of the challenger `next` that a shard has."""


@click.command()
@controlling
@click.option("--cold", is_flag=True, help="Serve a changed model at once, untaught.")
@click.option("--retrain", is_flag=True, help="Have a changed model learn the log first, and serve it then.")
def apply(
    settings: Settings,
    task: str,
    *,
    cold: bool,
    retrain: bool,
    partitions: tuple[int, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put TASK in force as the settings have it, without a stop.

    The log itself says how a task is folded. A change of the settings alone changes nothing: the workers go on by the log, and headrace
    status tells the difference. Without --cold and --retrain a changed model becomes the challenger next.
    """
    if cold and retrain:
        raise click.UsageError("Choose one of --cold and --retrain.")
    wanted = task_of(settings, task)
    status = ask(settings, "GET", f"/v1/{wanted.name}")
    changes = find_changes(status, wanted, partitions)
    is_untaught = retrain and "model" not in changes and has_another_model(status, wanted, partitions)
    way = "cold" if cold else "retrain" if retrain else "challenger"
    effects = {key: EFFECTS.get(key, "holds from the next record on") for key in changes}
    if "model" in changes:
        effects["model"] = say_of_model(status, msgspec.json.decode(define(wanted))["model"], way, partitions)
    if as_json and dry_run:
        say_json({key: [*changes[key], effects[key]] for key in changes})
    elif not as_json:
        for key, (before, after) in changes.items():
            say(f"{key}: {json.dumps(before)} -> {json.dumps(after)}", f"  {effects[key]}")
    if not changes and not is_untaught:
        say(
            "{}" if as_json and not dry_run else f"The settings of {wanted.name} are in force.", err=as_json and dry_run
        )
    if "arms" in changes:
        versions = ask(settings, "GET", f"/v1/{wanted.name}/versions")["versions"]
        for note in find_absent(changes["arms"][0] or {}, wanted, partitions or range(wanted.partitions), versions):
            say(note, err=as_json)
    if dry_run or not (changes or is_untaught):
        return
    definition = msgspec.json.decode(define(wanted))
    is_taught = retrain and ("model" in changes or is_untaught)
    record = {"control": "define", "task": definition, "cold": cold, "retrain": is_taught}
    if not record["retrain"]:
        send_control(settings, wanted, record, partitions=partitions, as_json=as_json)
        return
    from headrace.app.cli.jobs import run_job

    answer = append_control(settings, wanted, record, partitions)
    refused = lacking(answer)
    if not as_json or refused:
        tell(answer, as_json=as_json)
    if refused is not None:
        raise AnswerError(*_why_no_job(wanted, refused))
    recipe = {"why": "retrain"}
    run_job(
        settings,
        wanted,
        recipe,
        wanted.model,
        detach=False,
        limit_s=None,
        partitions=partitions,
        dry_run=False,
        as_json=as_json,
    )


def _why_no_job(task: Task, shard: dict[str, Json]) -> tuple[str, str]:
    """Say why no job is asked for, and what to do: a shard has refused the definition, or has not come to it yet."""
    if shard["did"]:
        return f"shard {shard['partition']} has {shard['did'].rstrip('.')}.", "No job was asked for. Apply it again."
    model = shlex.quote(task.model if isinstance(task.model, str) else json.dumps(task.model))
    what = f"shard {shard['partition']} has not come to the definition yet, and no job was asked for."
    return what, f"Once it has (see headrace status): headrace retrain {task.name} --model {model}"


def has_another_model(status: Mapping[str, Json], task: Task, partitions: tuple[int, ...]) -> bool:
    """Tell whether a shard has not the model that its definition says: the job that was to make it has failed, or was cancelled."""
    known = [one for one in status["shards"] if not partitions or one["partition"] in partitions]
    return any(one["arms"]["champion"]["model"] != task.model_name for one in known if "arms" in one)


def say_of_model(status: Mapping[str, Json], model: Json, way: str, partitions: tuple[int, ...]) -> str:
    """Say what a changed model does, and what becomes of the challenger `next`: where shards differ, for each of them.

    Examples
    --------
    >>> arms = {"champion": {"made_of": "logistic"}, "next": {"made_of": "alma"}}
    >>> say_of_model({"shards": [{"partition": 0, "arms": arms}]}, "logistic", "challenger", ())
    'it is what the champion is made of, so no challenger begins; the challenger next is dropped'
    """
    said: dict[str, list[str]] = {}
    for shard in status["shards"]:
        arms = shard.get("arms")
        if arms is None or (partitions and shard["partition"] not in partitions):
            continue
        is_back = way == "challenger" and arms["champion"].get("made_of") == model
        here = "taken_back" if is_back else way
        parts = [MODEL_EFFECTS[here], *([NEXT_EFFECTS[here]] if NEXT in arms else [])]
        said.setdefault("; ".join(parts), []).append(str(shard["partition"]))
    if len(said) < 2:
        return next(iter(said), MODEL_EFFECTS[way])
    return "; ".join(f"shard {', '.join(shards)}: {what}" for what, shards in said.items())


def find_absent(
    before: Mapping[str, Json], task: Task, partitions: Iterable[int], versions: Iterable[Mapping[str, Json]]
) -> Iterator[str]:
    """Yield a note on each new arm of a saved version that some shards have not: there it will not be.

    Raises
    ------
    AnswerError
        No shard has the version.
    """
    kept: dict[int, set[str]] = {partition: set() for partition in partitions}
    for version in versions:
        if version["partition"] in kept:
            kept[version["partition"]] |= {version["id"], *(FOUND if version["error"] is not None else ["previous"])}
    for name, arm in task.named_arms.items():
        if arm.version is None or before.get(name) == msgspec.to_builtins(arm):
            continue
        lacking = [partition for partition, names in kept.items() if arm.version not in names]
        if len(lacking) == len(kept):
            has = f"no shard {'has' if arm.version in FOUND else 'keeps'} a version {arm.version}"
            remedy = f"Name one that headrace versions {task.name} shows. best and last_good need one with an error."
            raise AnswerError(f"the arm '{name}' would never be there, and nothing was sent: {has}.", remedy)
        if lacking and shard_of(arm.version) is None:
            which = ", ".join(map(str, lacking))
            yield f"shard {which} has no version {arm.version}, and will not have the arm '{name}': apply once each shard has one."


def find_changes(status: Mapping[str, Json], task: Task, partitions: tuple[int, ...]) -> dict[str, tuple[Json, Json]]:
    """The keys in which a shard's definition differs from the settings, with both values, by what the worker says."""
    wanted, changes = define(task), dict[str, tuple[Json, Json]]()
    if status["partitions"] != task.partitions:
        what = f"the number of partitions of a running task cannot change from {status['partitions']} to {task.partitions}."
        raise AnswerError(what, f"Make a new task, and fill it: headrace replay {task.name} --into NEW.")
    known = [shard for shard in status["shards"] if not partitions or shard["partition"] in partitions]
    for shard in known:
        if "definition" in shard:
            changes |= differences(json.dumps(shard["definition"]["task"]).encode(), wanted)
    if not any("definition" in shard for shard in known):
        raise AnswerError("the worker has no model of the task yet.", "Try again in a second; see headrace status.")
    return changes

"""Asking for a job: a worker makes a model from the log, beside the shard, and has it installed."""

from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.learning.acts.refusal import Refusal
from headrace.learning.control_record import Arguments
from headrace.learning.recipe import LEFT_OUT_BYTES, LEFT_OUT_MAX, Recipe, decode_without, find_fault
from headrace.learning.records import Id
from headrace.learning.state import State
from headrace.learning.task import Value, with_model
from headrace.learning.turn import Turn

JOBS_MAX = 8
"""Jobs of one shard that may wait for their end."""


class Job(Arguments, frozen=True, kw_only=True):
    """The control record `job`.

    Parameters
    ----------
    job
        Names the job, and the `install` that it appends.
    recipe
        What is made: how the model follows from the log.
    model
        What the model is made of; left out, what the champion is made of.
    limit_s
        Seconds that the shard waits at the `install` for the job; then it goes on without it.
    """

    job: Id
    recipe: Recipe
    model: str | dict[str, Value] | None = None
    limit_s: Annotated[float, Meta(gt=0, le=86_400)] = 600.0


decode_job = msgspec.json.Decoder(Job).decode


def ask_job(state: State, turn: Turn, arguments: Job) -> str:
    """Note that a job is wanted: the worker that owns the shard begins it, and begins it again if it dies. Refusal if it cannot be."""
    noted = note_job(state, turn, arguments)
    state.jobs[noted.job] = msgspec.json.encode(noted, order="deterministic")
    return f"asked for {noted.recipe.why} {noted.job}"


def note_job(state: State, turn: Turn, arguments: Job) -> Job:
    """Write out what a job makes, so that each attempt makes the same: what was unlearned before is left out again, and every pass but the last ends here.

    Raises
    ------
    Refusal
        There may be no such job.
    """
    name, recipe, here = arguments.job, arguments.recipe, turn.message.offset
    if name in state.jobs or name in state.controls or name == arguments.id:
        raise Refusal(f"there is a record '{name}' already, or there was one: the job needs a name of its own.")
    if len(state.jobs) >= JOBS_MAX:
        raise Refusal(f"{JOBS_MAX} jobs are under way. Wait for one, or cancel it: {', '.join(state.jobs)}.")
    if fault := find_fault(recipe):
        raise Refusal(fault)
    if max(recipe.start, recipe.repeat_to or 0) > here:
        raise Refusal(f"the recipe folds from or up to an offset that the log did not have: this record is at {here}.")
    without = decode_without(state.left_out)
    for asked in state.jobs.values():  # they are installed before this one
        without = without.and_also(decode_job(asked).recipe.without)
    without = without.and_also(recipe.without)
    if without.size > LEFT_OUT_MAX or len(msgspec.json.encode(without)) > LEFT_OUT_BYTES:
        raise Refusal(
            f"with those of earlier jobs, {without.size} ids, ranges, sources and periods would be left out; {LEFT_OUT_MAX} of "
            f"{LEFT_OUT_BYTES >> 10} KiB may be. Leave out ranges of offsets, or a time."
        )
    recipe = msgspec.structs.replace(recipe, without=without if without.size else None)
    if recipe.passes > 1 and recipe.repeat_to is None:
        recipe = msgspec.structs.replace(recipe, repeat_to=here)
    model = state.arms["champion"].made_of if arguments.model is None else with_model(state.task, arguments.model).model
    return msgspec.structs.replace(arguments, recipe=recipe, model=model)

"""The command `define`: the task is another one from the next record on."""

import re
from collections.abc import Collection, Container
from typing import Any

import msgspec

from headrace.learning.acts.champion import (
    Loaded,
    Spec,
    drop_arm,
    make,
    put_arm,
    put_new,
    task_of,
)
from headrace.learning.acts.refusal import Refusal
from headrace.learning.arms import Arm, check_arms
from headrace.learning.commands.arms import ARM_KEYS, change_arms, change_decisions, change_experiments, declare_arms
from headrace.learning.control_record import Arguments
from headrace.learning.errors import DefinitionError, DetectorError, ModelError, ReactionError
from headrace.learning.guards import guards_of
from headrace.learning.guards.below_baseline import BelowBaseline
from headrace.learning.models import build
from headrace.learning.models.named import require_named
from headrace.learning.plain import plain, plain_error
from headrace.learning.reactions import reactings
from headrace.learning.records.labels import declared_type, initial_labels
from headrace.learning.state import State
from headrace.learning.task import (
    LAST_GOOD,
    NEXT,
    Kind,
    Task,
    baselines,
    define,
    differences,
    modules_of,
    under,
)
from headrace.learning.turn import Turn
from headrace.learning.watch import RecordWatches, watchings

DIGEST = r"sha256:[0-9a-f]{64}"


class Define(Arguments, frozen=True, kw_only=True):
    """The control record `define`.

    Parameters
    ----------
    task
        The definition: the keys of a task in `headrace.toml` that decide how it is folded. A key that is left out has its default.
    first
        Whether it says what the log was folded by so far; it has no effect where the log has a definition already.
    cold
        Whether a changed model takes the champion's place at once, untaught. Without it, it learns beside the champion, as the
        challenger `next`.
    retrain
        Whether a job makes the changed model; the champion stays until then, and there is no challenger.
    """

    task: dict[str, Any]
    first: bool = False
    cold: bool = False
    retrain: bool = False


def redefine(state: State, turn: Turn, arguments: Define) -> str:
    """Fold by another definition from the next record on."""
    if arguments.first:
        return _first(state, turn, arguments)
    if state.defined_at is None:
        raise Refusal(
            "the log has no definition yet: its owner writes the one in force first. Send it again in a second."
        )
    before = state.task
    wanted = _read_or_refuse(before, arguments)
    after = under(before, wanted)
    if after.kind != before.kind:
        raise Refusal(
            f"the kind cannot change from {before.kind} to {after.kind}: make a new task, and fill it with `headrace replay --into`."
        )
    changed = differences(state.definition, wanted)
    if "model" in changed:
        made = make(task_of(after, turn, after.model))
    declared = declare_arms(after, turn) if changed.keys() & ARM_KEYS else {}
    if "labels" in changed:
        _check_labels(state, after)
    if "model" in changed and not arguments.retrain:
        _add_model(state, turn, Loaded(after, made), cold=arguments.cold)
    if changed.keys() & ARM_KEYS:
        change_arms(state, turn, before, after, declared)
    if changed.keys() & {"arms", "experiments"}:
        change_experiments(state, before, after)
    change_decisions(state, before, after)
    if changed.keys() & {"detectors", "guard", "arms"}:
        _watch_anew(state, before, after, changed)
    state.definition, state.defined_at = wanted, turn.message.offset
    return f"changed {', '.join(changed)}" if changed else "nothing: it is the definition in force"


def _watch_anew(state: State, before: Task, after: Task, changed: Container[str]) -> None:
    """Begin with new detectors and guards, where they are others."""
    if "detectors" in changed:
        for arm in state.arms.values():
            arm.watch_anew(after)
        state.watches = RecordWatches(after)
    if "guard" in changed:
        state.guards = guards_of(after)
        if "degraded" not in state.guards:
            drop_arm(state, LAST_GOOD)
    elif baselines(before.kind, before.arms) != baselines(after.kind, after.arms):
        held = state.guards
        state.guards = {
            name: guard if name == BelowBaseline.name else held[name] for name, guard in guards_of(after).items()
        }


def read_definition(task: Task, arguments: Define) -> bytes:
    """Read the definition in a control record of this task; ValueError if it is none."""
    try:
        wanted = define(under(task, msgspec.json.encode(arguments.task)))
        after = under(task, wanted)  # it can be read again
        watchings(after)
        reactings(after)
        for name, arm in after.named_arms.items():
            if arm.onnx is not None and not re.fullmatch(DIGEST, arm.onnx):
                raise ValueError(f"arms.{name}.onnx is no sha256:DIGEST of a file")
        return wanted
    except (msgspec.MsgspecError, TypeError, ArithmeticError, DetectorError, ReactionError) as error:
        raise ValueError(plain_error(error)) from None


def _read_or_refuse(task: Task, arguments: Define) -> bytes:
    try:
        return read_definition(task, arguments)
    except ValueError as error:
        raise Refusal(f"it is no definition of a task: {plain(error)[:200].rstrip('.')}.") from None


def read_first(task: Task, arguments: Define, modules: Collection[str]) -> bytes:
    """Read what a log was folded by from its beginning on.

    Raises
    ------
    Refusal
        It is no definition of this task, or its model cannot be built: no shard has ever folded by it.
    ModelError
        It has a model of a module that the settings do not name.
    """
    if arguments.id is not None:
        raise Refusal("a first definition has no id: the owner of the shard writes it.")
    wanted = _read_or_refuse(task, arguments)
    first = under(task, wanted)
    if first.kind != task.kind:
        raise Refusal(f"the task is {task.kind}, and the definition is for {first.kind}.")
    require_named(first.model, modules)
    make(first)
    return wanted


def _first(state: State, turn: Turn, arguments: Define) -> str:
    """Note what the log was folded by so far. A fold that has begun by another definition cannot go on."""
    if state.defined_at is not None:
        return "nothing: there is a definition already"
    if read_first(state.task, arguments, turn.supplies.modules) != state.definition:
        raise DefinitionError(
            f"the log was folded by another definition before offset {turn.message.offset}, as its first owner says there.",
            "Begin again from offset 0, by the definition of that record.",
        )
    state.defined_at = turn.message.offset
    return "nothing: it is the definition in force"


def check_model(task: Task, arguments: Define, modules: Collection[str]) -> None:
    """Raise ValueError if a definition is none, or its model cannot be built where only these modules of the user's own are allowed.

    A shard that meets such a record in its log stops, where the module is the trouble: it cannot know what others have folded.
    """
    if arguments.first:
        raise ValueError("the owner of a shard writes the first definition: leave 'first' out")
    after = under(task, read_definition(task, arguments))
    check_spec(after.model, after.kind, modules)
    for arm in after.named_arms.values():
        if arm.model is not None:
            check_spec(arm.model, after.kind, modules)
    try:
        check_arms(after)
    except ModelError as error:
        raise ValueError(str(error).rstrip(".")) from None


def check_spec(model: Spec, kind: Kind, modules: Collection[str]) -> None:
    """Raise ValueError if a model cannot be built where only these modules of the user's own are allowed."""
    if strange := [module for module in modules_of(model) if module not in modules]:
        raise ValueError(f"the module '{strange[0]}' is not in worker.modules of headrace.toml")
    try:
        build(model, kind)
    except ModelError as error:
        raise ValueError(str(error).rstrip(".")) from None


def _check_labels(state: State, after: Task) -> None:
    """Refuse labels of the other type: the models have learned those of this one."""
    wanted = declared_type(after)
    if state.label_type is not None and wanted is not None and wanted != state.label_type:
        raise Refusal("the labels cannot change from strings to whole numbers, or back: make a new task.")
    state.label_type = state.label_type or wanted
    if after.labels is None:
        state.labels |= initial_labels(after)


def _add_model(state: State, turn: Turn, loaded: Loaded, *, cold: bool) -> None:
    if not cold:
        if loaded.task.model == state.arms["champion"].made_of:
            drop_arm(state, NEXT)  # the change is taken back
        else:
            put_arm(state, NEXT, Arm(loaded.task, role="challenger"))
        return
    put_new(state, turn, loaded, 0, "define")
    drop_arm(state, NEXT)

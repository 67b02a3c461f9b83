"""What a changed definition changes about arms, experiments and decisions."""

from headrace.learning.acts.champion import drop_arm, find_version, load_version, put_arm, put_frozen
from headrace.learning.acts.refusal import Refusal
from headrace.learning.arms import Arm, arms_beside
from headrace.learning.errors import ModelError
from headrace.learning.experiments import declared_experiments, experiments_of, segments_of
from headrace.learning.models.named import require_named
from headrace.learning.state import State
from headrace.learning.task import RESERVED, Task, with_model
from headrace.learning.turn import Turn

ARM_KEYS = frozenset(["arms", "features", "crosses", "negatives", "weights", "labels"])
"""The keys of a definition that decide which arms there are: a batch model takes features in the order in which they are declared."""


def declare_arms(task: Task, turn: Turn) -> dict[str, Arm]:
    """Make the arms of a definition, before anything is changed; Refusal if a model of the catalogue cannot be built."""
    for module in task.modules:
        require_named(f"{module}:", turn.supplies.modules)
    try:
        return arms_beside(task)
    except ModelError as error:
        if task.modules or any(arm.onnx for arm in task.named_arms.values()):
            raise  # others may have the module or the file
        raise Refusal(str(error)) from None


def change_arms(state: State, turn: Turn, before: Task, after: Task, declared: dict[str, Arm]) -> None:
    """Begin the arms that are new or have another model, and end those that are no longer there."""
    for name in list(state.arms):
        if name not in RESERVED and name not in declared and after.arms.get(name) != before.arms.get(name):
            drop_arm(state, name)
    for name, arm in declared.items():
        held = state.arms.get(name)
        is_changed = before.arms.get(name) != after.arms.get(name) or _features_changed(before, after, name)
        if held is None or is_changed or (arm.role == "frozen" and held.made_of != arm.made_of):
            put_arm(state, name, arm)
    for name, settings in after.named_arms.items():
        if settings.version is not None and name not in state.arms:
            version = find_version(state, settings.version)
            if version is not None:
                put_frozen(state, name, load_version(state, turn, version), version)


def _features_changed(before: Task, after: Task, name: str) -> bool:
    """Tell whether the model of an arm gets other features than before. What the arm has now may be another model, since a promotion."""
    settings = after.named_arms.get(name)
    model = None if settings is None else settings.model
    return model is not None and with_model(before, model).model != with_model(after, model).model


def change_experiments(state: State, before: Task, after: Task) -> None:
    """Begin the experiments that are new or compare in another way; the others go on."""
    was, now = declared_experiments(before), declared_experiments(after)
    state.experiments = {
        name: state.experiments[name] if was.get(name) == now[name] else fresh
        for name, fresh in experiments_of(after).items()
    }


def change_decisions(state: State, before: Task, after: Task) -> None:
    """Score the segments that are wanted now, decide by the threshold and the costs that are wanted now, and answer with probabilities where something compares them."""
    state.segments = {name: state.segments.get(name, segment) for name, segment in segments_of(after).items()}
    for arm in state.arms.values():
        arm.answer_as(after)
        if (after.threshold, after.costs) != (before.threshold, before.costs):
            arm.decide_as(after)
        if after.costs != before.costs:
            arm.scoreboard.price(after.costs)

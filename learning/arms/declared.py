"""The arms that a task has beside its champion from its first record on: baselines, challengers and batch models."""

from headrace.learning.arms.arm import Arm
from headrace.learning.errors import ModelError
from headrace.learning.models.onnx import USE, check_file, spec_of
from headrace.learning.task import ArmSettings, Task, baselines, made_for


def arms_beside(task: Task) -> dict[str, Arm]:
    """Make the arms of a task, by name. Those of a saved version are not among them: the log has no version at its beginning.

    Raises
    ------
    ModelError
        A model cannot be built.

    Examples
    --------
    >>> task = Task(name="ads", kind="binary", arms={"majority": False, "tree": ArmSettings(model="hoeffding_tree")})
    >>> {name: arm.role for name, arm in arms_beside(task).items()}
    {'no_change': 'baseline', 'tree': 'challenger'}
    """
    arms = {name: Arm(made_for(task, name), role="baseline") for name in baselines(task.kind, task.arms)}
    for name, one in task.named_arms.items():
        if (arm := declared_arm(task, one)) is not None:
            arms[name] = arm
    return arms


def declared_arm(task: Task, settings: ArmSettings) -> Arm | None:
    """Make an arm of the settings; None for a saved version."""
    if settings.model is not None:
        return Arm(made_for(task, settings.model), role="challenger")
    if settings.onnx is not None:
        return Arm(made_for(task, spec_of(task, settings.onnx.removeprefix("sha256:"))), role="frozen")
    return None


def check_arms(task: Task) -> None:
    """Make the arms of a task, and ask each batch model once. ModelError if an arm cannot be made, or has no answer."""
    if task.model_name == USE:
        raise ModelError(
            f"the model '{USE}' learns nothing, and a champion does.",
            "Declare it: [tasks.NAME.arms.ARM] with onnx = FILE.",
        )
    arms_beside(task)
    for one in task.named_arms.values():
        if one.onnx is not None:
            check_file(task, one.onnx.removeprefix("sha256:"))

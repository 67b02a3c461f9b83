"""The arms that a task has beside its champion from its first record on: baselines, challengers and batch models."""

from collections.abc import Container

from headrace.learning.arms.arm import Arm
from headrace.learning.errors import ModelError
from headrace.learning.models.onnx import USE, check_file, spec_of
from headrace.learning.task import ArmSettings, Task, baselines, made_for, with_model
from headrace.learning.versions import FOUND, shard_of


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
        return Arm(with_model(task, settings.model), role="challenger")
    if settings.onnx is not None:
        return Arm(made_for(task, spec_of(task, settings.onnx.removeprefix("sha256:"))), role="frozen")
    return None


def check_arms(task: Task) -> None:
    """Make the arms of a task, and ask each batch model. ModelError if an arm cannot be made, has no answer, or is of no possible version."""
    if task.model_name == USE:
        raise ModelError(
            f"the model '{USE}' learns nothing, and a champion does.",
            "Declare it: [tasks.NAME.arms.ARM] with onnx = FILE.",
        )
    arms_beside(task)
    for one in task.named_arms.values():
        if one.onnx is not None:
            check_file(task, one.onnx.removeprefix("sha256:"))
    for name, one in task.named_arms.items():
        if one.version is not None:
            _check_version(task, name, one.version)


def _check_version(task: Task, name: str, version: str) -> None:
    shard = shard_of(version)
    if shard is None and version not in FOUND:
        what = f"the arm '{name}' is of the version '{version[:80]}', which is no id of a version."
        raise ModelError(what, f"Write an id that headrace versions {task.name} shows, or {', '.join(FOUND)}.")
    if shard is not None and shard >= task.partitions:
        what = f"the arm '{name}' is of the version {version} of shard {shard}, and the task has {task.partitions}."
        raise ModelError(what, f"Write an id that headrace versions {task.name} shows.")


def absent_arms(task: Task, partition: int, arms: Container[str]) -> dict[str, str]:
    """Name the arms of saved versions that a shard lacks, each with its version. An id of another shard is not lacking.

    Examples
    --------
    >>> task = Task(name="ads", kind="binary", arms={"then": ArmSettings(version="v9-0-7"), "top": ArmSettings(version="best")})
    >>> absent_arms(task, 0, ["champion"]), absent_arms(task, 1, ["champion", "top"])
    ({'then': 'v9-0-7', 'top': 'best'}, {})
    """
    return {
        name: one.version
        for name, one in task.named_arms.items()
        if one.version is not None and name not in arms and shard_of(one.version) in (None, partition)
    }


def say_absent(task: str, name: str, version: str) -> str:
    """Say that an arm is not there, why, and what to do."""
    return (
        f"the arm '{name}' is not there: the shard had no version {version} when it came to the definition. Name a version that headrace "
        f"versions {task} shows; or once it shows this one, take the arm out, run headrace apply {task}, and put it in again."
    )

"""Checks a model: whether it can learn from a log in one process, and whether three processes reach the same state."""

from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from typing import Any, get_args

import msgspec

from headrace.app.other_process import Failed, OtherProcess, other_process
from headrace.app.trial import DIFFERENT_STATES, SEED_REMEDY, limited
from headrace.learning.errors import ModelError
from headrace.learning.fold.checks import CHECKS, examine, not_made
from headrace.learning.fold.finding import Finding
from headrace.learning.models import build
from headrace.learning.task import Kind, Task, Value

HASH_SEEDS = "0", "1"
"""The PYTHONHASHSEEDs of the two other processes. Workers have 0; a user's own program that folds may have any."""

SORT_REMEDY = (
    "Let nothing depend on the order of a set: sort it. Workers still fold such a model alike, because they run with PYTHONHASHSEED=0. Your "
    "own programs that fold must do so too."
)

PROCESSES = "processes"


class Report(msgspec.Struct, frozen=True):
    """The result of `check_model`.

    Parameters
    ----------
    model
        The name of the model.
    kind
        The kind of task that the model was checked for.
    findings
        One finding for each check, in order.
    """

    model: str
    kind: Kind
    findings: list[Finding]

    @property
    def faults(self) -> list[Finding]:
        """Return the findings with status `fault`. A model with a fault must not be used."""
        return [finding for finding in self.findings if finding.status == "fault"]


def check_model(
    model: str | dict[str, Value] | Callable[..., Any], task: Task | None = None, *, kind: Kind | None = None
) -> Report:
    """Check with generated rows that a model can learn from a log. All checks run, even if some find faults.

    The checks are, by their names:

    - `state`: a snapshot can hold the state;
    - `rows`: the model learns and answers random rows with numbers, strings and booleans, none of them None, as the task's `features`
      declare them. If the task declares no features and the model takes rows of some types only, the result is a note;
    - `answers`: the answers are classes, or numbers, of the task;
    - `finite`: the answers are finite;
    - `chance`: two new models that learn the same rows are equal, so all randomness is seeded;
    - `round trip`: a state that is saved and loaded half-way is the same, and ends as the same state;
    - `reading`: asking changes nothing. If it changes the model, the result is a note: a worker then answers from a copy, and the questions
      that the fold itself asks are part of the fold;
    - `processes`: this process and two others, with other PYTHONHASHSEEDs, reach the same state.

    Parameters
    ----------
    model
        The model, as in the settings of a task: the name of a catalogue model, `"module:function"`, or a table with `use`. Or the function
        or class itself, which must be at the top level of a module that other processes can import.
    task
        The task, whose features, labels and kind decide the rows. Its own model is ignored.
    kind
        The kind of task if no `task` is given. The default is the first of binary, multiclass, regression and anomaly that the model can learn.

    Raises
    ------
    ModelError
        The model cannot be built or is no model, or the checks take longer than a minute.

    Examples
    --------
    >>> from river.linear_model import LogisticRegression
    >>> report = check_model(LogisticRegression)
    >>> report.kind, report.faults
    ('binary', [])
    >>> [(finding.check, finding.what[:74]) for finding in report.findings if finding.status == "note"]
    [('rows', "the model 'river.linear_model.log_reg:LogisticRegression' raised TypeError")]
    """
    spec = model if isinstance(model, str | dict) else _name_of(model)
    task = _task_for(spec, kind) if task is None else msgspec.structs.replace(task, model=spec)
    with ExitStack() as stack:
        others = [stack.enter_context(other_process([task], seed)) for seed in HASH_SEEDS]
        with limited():
            trial, findings = examine(task)
        faults = [finding.check for finding in findings if finding.status == "fault"]
        findings.append(not_made(PROCESSES, tuple(CHECKS), faults) or _compare(task, trial.digest, others))
    return Report(task.model_name, task.kind, findings)


def _compare(task: Task, here: str | None, others: list[OtherProcess]) -> Finding:
    """Check whether the other processes have reached the digest of this process."""
    try:
        digests = [_digest_of(other) for other in others]
        if set(digests) == {here}:
            return Finding(PROCESSES, "ok", "three processes with other hash seeds come to the same state")
        with other_process([task], HASH_SEEDS[0]) as again:
            is_hash_order = _digest_of(again) == digests[0] != digests[1]
    except ModelError as error:
        return Finding(PROCESSES, "fault", error.what, error.remedy)
    if is_hash_order:
        what = "comes to another state with another PYTHONHASHSEED, from the same rows"
        return Finding(PROCESSES, "fault", f"the model '{task.model_name}' {what}.", SORT_REMEDY)
    return Finding(PROCESSES, "fault", f"the model '{task.model_name}' {DIFFERENT_STATES}.", SEED_REMEDY)


def _digest_of(other: OtherProcess) -> str:
    (outcome,) = other.outcomes()
    if isinstance(outcome, Failed):
        raise ModelError(f"another process refuses it: {outcome.what}", outcome.remedy)
    return outcome.verdict.digest


def _name_of(model: Callable[..., object]) -> str:
    """Return the name under which a worker can import a function or class; ModelError if there is none."""
    module, name = getattr(model, "__module__", None), getattr(model, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        what = f"a {type(model).__name__} is a model, and not what makes one: every shard begins with a fresh model."
        raise ModelError(what, "Give the function or the class that makes it, or its name, 'module:function'.")
    if module == "__main__" or getattr(import_module(module), name, None) is not model:
        what = f"'{module}:{name}' cannot be imported by another process, as a worker does."
        raise ModelError(what, "Put the function at the top level of a module of its own.")
    return f"{module}:{name}"


def _task_for(spec: str | dict[str, Value], kind: Kind | None) -> Task:
    """Make a task with this model, of this kind or of the first kind that the model can learn; the first ModelError if it can learn none."""
    error: ModelError | None = None
    for one in get_args(Kind) if kind is None else (kind,):
        try:
            build(spec, one)
        except ModelError as wrong:
            error = error or wrong
        else:
            return Task(name="check", kind=one, model=spec)
    assert error is not None
    raise error

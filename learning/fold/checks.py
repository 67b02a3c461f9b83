"""The checks of a model: each checks, under a name, one property that the fold needs."""

import sys
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import NamedTuple

import msgspec

from headrace.learning.arms import Arm
from headrace.learning.encoding import SAVABLE, decode, encode, missing
from headrace.learning.encoding.table import DECLARED as DECLARED_IN
from headrace.learning.errors import ModelError, SnapshotError
from headrace.learning.fold.finding import Finding
from headrace.learning.fold.learner import Learner
from headrace.learning.fold.trial import Raised, Trial, digest_of, run_trial
from headrace.learning.prediction import is_finite
from headrace.learning.task import Task, Value

DECLARED = (
    "A state may hold the classes of the model's own module, and those of River that Headrace knows. Functions, and classes of other modules "
    "that are their attributes alone, are listed in your module: HEADRACE_STATE = [...]. List them if they do no harm, whatever they are "
    "called with. The first one is {}."
)

SEEDED = "Seed its randomness: the same rows must give the same model, in every process."

FINITE = "Scale the features before a linear model, or lower its learning rate."


class Verdict(msgspec.Struct, frozen=True):
    """The result of a trial, for a model that may be used.

    Parameters
    ----------
    digest
        The digest of the state after all rows, which another process must reproduce.
    pure
        Whether predictions left the model unchanged. A model that they change is served through a copy; see `ServedCopy`.
    warning
        The error that the model raised on rows that the task accepts, and its remedy; None if the model took all rows.
    """

    digest: str
    pure: bool
    warning: str | None = None


def check_state(trial: Trial) -> None:
    """Raise ModelError unless a snapshot can hold the state: no lambda, no open file, no class that the reader does not know."""
    modules = trial.task.modules
    for name in modules:
        declared = getattr(sys.modules.get(name), DECLARED_IN, ())
        if not isinstance(declared, list | tuple):
            raise _error(trial, f"cannot be used: {name}.{DECLARED_IN} is no list", f"Write {DECLARED_IN} = [...].")
        for one in declared:
            if not isinstance(one, type | FunctionType):
                what = f"cannot be used: {name}.{DECLARED_IN} holds {one!r:.80}, which is no class and no function"
                raise _error(trial, what, "List the classes and functions themselves, not their names.")
    try:
        if isinstance(trial.half, SnapshotError):
            raise trial.half
        lacking = missing(trial.learner.state, modules)
    except Exception as error:
        what = error.what.rstrip(".") if isinstance(error, SnapshotError) else f"{type(error).__name__}: {error}"
        raise _error(trial, f"cannot be saved and loaded: {what}", SAVABLE) from error
    if lacking:
        what = f"cannot be saved and loaded: its state holds {', '.join(lacking)}"
        raise _error(trial, what, DECLARED.format(lacking[0]))


def check_rows(trial: Trial) -> Raised | None:
    """Raise ModelError if the model raised on rows or questions that it must accept; return the error that it raised on others."""
    if isinstance(trial.failure, Raised):
        raise trial.failure from trial.failure.error
    return trial.warning


def check_answers(trial: Trial) -> None:
    """Raise ModelError if the model has predicted a value that the task does not allow."""
    if trial.failure is not None and not isinstance(trial.failure, Raised):
        raise trial.failure


def check_finite(trial: Trial) -> None:
    """Raise ModelError if the model has predicted a number that is not finite, which a worker does not serve."""
    champion = trial.learner.champion
    if champion.broken or not all(_is_answer_finite(champion, x) for x in trial.questions):
        raise _error(trial, "answers with numbers that are not finite", FINITE)


def _is_answer_finite(arm: Arm, features: dict[str, Value]) -> bool:
    try:
        prediction = arm.predict(features)
    except BaseException:  # noqa: BLE001 other checks tell of it
        return True
    return prediction is None or is_finite(prediction)


def check_chance(trial: Trial) -> None:
    """Raise ModelError unless a second new model that learns the same rows reaches the same state."""
    again = Learner(trial.task, 0)
    trial.fold(again, trial.rows)
    if digest_of(again) != trial.digest:
        raise _error(trial, "is another one each time that it learns the same rows", SEEDED)


def check_round_trip(trial: Trial) -> None:
    """Raise ModelError unless a state saved half-way and loaded is the same, and reaches the same state after the other rows."""
    assert isinstance(trial.half, bytes)
    try:
        state = decode(trial.half, trial.task.modules)
        if encode(state) != trial.half:
            raise _error(trial, "is another one once it has been saved and loaded", SAVABLE)
    except SnapshotError as error:
        raise _error(trial, f"cannot be saved and loaded: {error.what.rstrip('.')}", SAVABLE) from error
    loaded = Learner(trial.task, 0, state)
    trial.fold(loaded, trial.rows[loaded.state.position :])
    if digest_of(loaded) != trial.digest:
        check_chance(trial)  # which would be why
        raise _error(trial, "goes on otherwise once it has been saved and loaded", SAVABLE)


def check_reading(trial: Trial) -> ModelError | None:
    """Give a note if the model changes when it is asked.

    That is no fault. What the fold itself asks stands in the log, so it is asked again in the same places by whoever folds; every other
    question, and the probes of a snapshot, are answered by a copy.
    """
    if trial.is_pure:
        return None
    return _error(
        trial, "changes when it is asked", "Do nothing: a worker answers from a copy, which is a little behind."
    )


class Check(NamedTuple):
    """A check in the table.

    Parameters
    ----------
    run
        Looks at a trial: raises ModelError for a fault, gives an error for a note.
    passed
        What is true of a model that passes.
    needs
        The checks without which this one tells nothing.
    """

    run: Callable[[Trial], ModelError | None]
    passed: str
    needs: tuple[str, ...] = ()


CHECKS = {
    "state": Check(check_state, "its state is data that a snapshot can hold"),
    "rows": Check(check_rows, "it learns and answers what the task lets through"),
    "answers": Check(check_answers, "its answers are answers of the task"),
    "finite": Check(check_finite, "its answers are finite numbers"),
    "chance": Check(check_chance, "two fresh ones that learn the same rows are equal", ("state",)),
    "round trip": Check(check_round_trip, "once saved and loaded it goes on as the same", ("state", "chance")),
    "reading": Check(check_reading, "asking it changes nothing", ("state",)),
}
"""Each check by its name, in the order in which they are made."""

SHORT = ("state", "rows", "answers", "round trip")
"""The checks that a worker makes at its start: without those, a record or a restart would stop a shard."""


def try_model(task: Task) -> Verdict:
    """Make the checks that a worker makes at its start, up to the first fault.

    Parameters
    ----------
    task
        What is learned, and with which model.

    Raises
    ------
    ModelError
        The model cannot be built, or a check has failed.
    """
    trial = run_trial(task)
    for name in SHORT:
        CHECKS[name].run(trial)
    assert trial.digest is not None
    return Verdict(trial.digest, trial.is_pure, None if trial.warning is None else str(trial.warning))


def examine(task: Task) -> tuple[Trial, list[Finding]]:
    """Make all checks that one process can make, whatever the others have found.

    Raises
    ------
    ModelError
        The model cannot be built.
    """
    trial = run_trial(task)
    return trial, list(_findings(trial))


def _findings(trial: Trial) -> Iterator[Finding]:
    at_fault: list[str] = []
    for name, check in CHECKS.items():
        finding = not_made(name, check.needs, at_fault) or _finding(name, check, trial)
        if finding.status == "fault":
            at_fault.append(name)
        yield finding


def _finding(name: str, check: Check, trial: Trial) -> Finding:
    try:
        note = check.run(trial)
    except ModelError as error:
        return Finding(name, "fault", error.what, error.remedy)
    return Finding(name, "ok", check.passed) if note is None else Finding(name, "note", note.what, note.remedy)


def not_made(name: str, needs: tuple[str, ...], at_fault: list[str]) -> Finding | None:
    """The note that a check was not made, if one that it needs is at fault."""
    lacking = next((need for need in needs if need in at_fault), None)
    if lacking is None:
        return None
    return Finding(name, "note", f"not made: it tells nothing as long as '{lacking}' is at fault")


def _error(trial: Trial, what: str, remedy: str) -> ModelError:
    return ModelError(f"the model '{trial.task.model_name}' {what}.", remedy)

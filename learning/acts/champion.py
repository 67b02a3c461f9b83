"""What is done to the champion: save it as a version, and put another model in its place."""

import hashlib
from itertools import chain, count
from typing import Any, NamedTuple

from headrace.learning.acts.refusal import Refusal
from headrace.learning.arms import Arm
from headrace.learning.effects import Saved
from headrace.learning.encoding import decode, encode
from headrace.learning.errors import ModelError, SnapshotError, VersionError
from headrace.learning.guards.degraded import Degraded
from headrace.learning.models import build
from headrace.learning.models.likeness import check_like
from headrace.learning.models.named import require_named
from headrace.learning.plain import plain_failure
from headrace.learning.state import State
from headrace.learning.task import CHAMPION, LAST_GOOD, Task, Value, made_for
from headrace.learning.turn import Turn
from headrace.learning.versions import ENOUGH, Reason, Version

Spec = str | dict[str, Value]
"""What a model is made of, as in a task's `model`."""


class Loaded(NamedTuple):
    """A model that was read from its bytes, and the task that it was made for."""

    task: Task
    model: Any


class Replaced(NamedTuple):
    """The version that the champion was saved as before another model took its place, and the version of that one."""

    before: Version
    after: Version

    def say_promoted(self, name: str) -> str:
        """Say that the arm of this name was promoted."""
        return f"promoted {name} as {self.after.id}; before it was {self.before.id}"


def save_version(
    state: State, turn: Turn, reason: Reason, keep: str | None = None, replaces: Version | None = None
) -> Version:
    """Save the champion as a version, unless it is one as it stands; drop those that are not kept any more.

    Parameters
    ----------
    state, turn
        Of the fold.
    reason
        Why.
    keep
        The id of a version that must not be dropped now.
    replaces
        The version in whose place the champion was just put; it is not dropped now either.

    Raises
    ------
    SnapshotError
        The model cannot be saved.
    """
    arm = state.arms[CHAMPION]
    board = arm.scoreboard
    state.versions.since = arm.updates
    data = encode(arm.model)
    digest = hashlib.sha256(data).hexdigest()
    current = state.versions.saved.get(arm.version or "")
    if current is not None and current.digest == digest:
        return current
    name = f"v{arm.updates}-{turn.shard.rpartition('/')[2]}-{turn.message.offset}"
    names = chain([name], (f"{name}-{number}" for number in count(turn.row)))
    version = Version(
        id=next(one for one in names if one not in state.versions.saved),
        position=turn.message.offset,
        updates=arm.updates,
        time=turn.clock,
        digest=digest,
        model=arm.made_of,
        metrics=board.recent_figures(),
        error=board.recent_error() if len(board.window) >= ENOUGH else None,
        reason=reason,
        parent=arm.version,
        replaces=None if replaces is None else replaces.id,
    )
    state.versions.add(version)
    arm.version = version.id
    turn.supplies.artefacts.put(digest, data, position=turn.message.offset)
    turn.emit(Saved(id=turn.next_id(), version=version, time=turn.clock / 1000))
    state.versions.retain(state.task.versions.keep, {arm.version, keep, version.replaces})
    _freeze_last_good(state, turn)
    return version


def _freeze_last_good(state: State, turn: Turn) -> None:
    """Have the last good version answer beside the champion, if a guard compares the two."""
    guard, good, frozen = state.guards.get(Degraded.name), state.versions.last_good(), state.arms.get(LAST_GOOD)
    if guard is None or good is None or (frozen is not None and frozen.version == good.id):
        return
    loaded = load_version(state, turn, good)
    put_frozen(state, LAST_GOOD, loaded, good)
    guard.restart()


def find_version(state: State, name: str) -> Version | None:
    """Find a version by its id, or the `best`, the `last_good` or the `previous` one; None if there is none."""
    versions, arm = state.versions, state.arms[CHAMPION]
    if name in versions.saved:
        return versions.saved[name]
    if name == "best":
        return versions.best()
    if name == "last_good":
        return versions.last_good()
    found = versions.saved.get(arm.version or "") if name == "previous" else None
    if found is None:
        return None
    if found.replaces in versions.saved:
        return versions.saved[found.replaces]
    return versions.saved.get(found.parent or "") if found.digest == arm.digest else found


def load_version(state: State, turn: Turn, version: Version) -> Loaded:
    """Read the model of a version that the fold has saved.

    Raises
    ------
    VersionError
        It cannot be read here. Other folds, which have its bytes, go on with it, so this one must not go on without it.
    """
    try:
        return load(state, turn, version.digest, version.model)
    except Refusal as refusal:
        raise VersionError(
            f"the model of the version {version.id} cannot be read: {refusal}",
            "Restart the worker: it then folds the log again, as far back as versions are lost.",
        ) from None


def go_back(state: State, turn: Turn, version: Version) -> str:
    """Save the champion, and put the model of a version in its place, which learns on from there; say so.

    Raises
    ------
    VersionError
        The version cannot be read here.
    SnapshotError
        The champion cannot be saved.
    """
    loaded = load_version(state, turn, version)
    saved = save_version(state, turn, "rollback", keep=version.id)
    replace(state, loaded, version.id, version.updates)
    return f"rolled back from {saved.id} to {version.id}"


def load(state: State, turn: Turn, digest: str, made_of: Spec, made_for: str | None = None) -> Loaded:
    """Read a model that was saved, or made by a job.

    Parameters
    ----------
    state, turn
        Of the fold.
    digest
        Of the model.
    made_of
        What it was made of.
    made_for
        The id of the `install` for which it was made beside the fold; None if the fold has saved it. What the fold has saved once, and
        dropped since, must not matter.

    Raises
    ------
    Refusal
        Its bytes are not there, or are not such a model.
    ModelError
        It is a model of a module that the settings do not name: the shard cannot go on without it.
    """
    artefacts = turn.supplies.artefacts
    data = artefacts.get(digest) if made_for is None else artefacts.get_made(made_for, digest)
    if data is None or hashlib.sha256(data).hexdigest() != digest:
        raise Refusal(f"the artefact {digest[:16]} is not in <task>.versions, or is damaged.")
    task = task_of(state.task, turn, made_of)
    fresh = make(task)
    try:
        model = decode(data, task.modules)
        check_like(model, fresh)
    except SnapshotError as error:
        raise Refusal(error.what) from None
    except ValueError as error:
        raise Refusal(f"the artefact {digest[:16]} is no '{task.model_name}': {plain_failure(error)}.") from None
    return Loaded(task, model)


def replace(state: State, loaded: Loaded, version: str | None, updates: int) -> None:
    """Put another model in the place of the champion's."""
    state.arms[CHAMPION].replace(loaded.task, loaded.model, version, updates, state.step)
    begin_anew(state)


def put_new(state: State, turn: Turn, loaded: Loaded, updates: int, reason: Reason) -> Replaced:
    """Save the champion, put a model that is no version yet in its place, and save that too, so that answers name it.

    Raises
    ------
    SnapshotError
        The champion cannot be saved.
    """
    saved = save_version(state, turn, reason)
    replace(state, loaded, saved.id, updates)
    return Replaced(saved, save_version(state, turn, reason, replaces=saved))


def begin_anew(state: State) -> None:
    """Note that the champion is another model: guards and the test of a challenger begin again."""
    state.versions.since = state.arms[CHAMPION].updates
    for guard in state.guards.values():
        guard.restart()
    state.background.restart()
    restart_experiments(state, CHAMPION)


def restart_experiments(state: State, name: str) -> None:
    """Note that the arm of this name is another model now: its experiments begin again."""
    for experiment in state.experiments.values():
        if name in (experiment.a, experiment.b):
            experiment.restart()


def put_arm(state: State, name: str, arm: Arm) -> None:
    """Begin an arm, or put another one in its place: its experiments begin again."""
    arm.scoreboard.since = state.step
    _place(state, name, arm)


def _place(state: State, name: str, arm: Arm) -> None:
    """Give an arm a place: its experiments begin again."""
    arm.since = state.step
    state.arms[name] = arm
    restart_experiments(state, name)


def put_frozen(state: State, name: str, loaded: Loaded, version: Version) -> None:
    """Begin an arm with the model of a version, which learns no more."""
    arm = Arm(loaded.task, role="frozen")
    arm.replace(loaded.task, loaded.model, version.id, version.updates, state.step)
    put_arm(state, name, arm)


def drop_arm(state: State, name: str) -> None:
    """Drop an arm, if there is one of this name: its traffic goes back to the champion, and its experiments begin again."""
    state.arms.pop(name, None)
    state.traffic.leave(name)
    restart_experiments(state, name)


def promote_arm(state: State, turn: Turn, name: str, reason: Reason = "promote") -> Replaced:
    """Save the champion, let a challenger take its place, and save that too.

    A challenger of the settings changes places with the champion, which goes on as the challenger. Any other one leaves its place. The metrics over
    all of the log go on under each name, since they count what was answered; those of the windows go with the models.

    Raises
    ------
    SnapshotError
        The champion cannot be saved.
    """
    champion, challenger = state.arms[CHAMPION], state.arms[name]
    saved = save_version(state, turn, reason)
    challenger.scoreboard.change_places(champion.scoreboard)
    challenger.version = saved.id
    challenger.watch_anew(state.task, "champion")
    if name in state.task.arms:
        champion.watch_anew(state.task, "challenger")
        _place(state, name, champion)
    else:
        drop_arm(state, name)
    _place(state, CHAMPION, challenger)
    begin_anew(state)
    return Replaced(saved, save_version(state, turn, reason, replaces=saved))


def make(task: Task) -> Any:
    """Build the model of a task.

    Raises
    ------
    Refusal
        It is one of the catalogue, and cannot be built.
    ModelError
        It is one of the user's own, and cannot be built here: the shard cannot go on without it.
    """
    try:
        return build(task.model, task.kind)
    except ModelError as error:
        if task.modules:
            raise
        raise Refusal(str(error)) from None


def task_of(task: Task, turn: Turn, made_of: Spec) -> Task:
    """Give a task another model; ModelError where its module is one that the settings do not name."""
    require_named(made_of, turn.supplies.modules)
    return made_for(task, made_of)

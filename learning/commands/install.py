"""The commands `install` and `outcome`: a job makes a model, and the shard goes on with it as if it had always been there."""

from collections.abc import Iterable

import msgspec

from headrace.learning.acts.champion import load, put_new
from headrace.learning.acts.job import Job, decode_job
from headrace.learning.acts.refusal import Refusal
from headrace.learning.errors import LogError
from headrace.learning.promises import Install, Outcome, Place, stands_alone
from headrace.learning.recipe import Without
from headrace.learning.state import State
from headrace.learning.task import fingerprint
from headrace.learning.turn import Turn


def install(state: State, turn: Turn, arguments: Install) -> str:
    """Save the champion, then serve and train the model that was made."""
    check(arguments)
    digest, updates, model = arguments.artefact, arguments.updates, arguments.model
    forget: tuple[str, ...] = ()
    if digest is None:
        model = _job(state, turn, arguments).model
        outcome = _outcome(turn, arguments)
        if outcome.artefact is None:
            raise Refusal(f"the job was given up{': ' + outcome.why if outcome.why else ''}.")
        if outcome.definition is not None and outcome.definition.removeprefix("sha256:") != fingerprint(
            state.definition
        ):
            raise Refusal("the definition has changed while the job was at work. Ask for it again.")
        digest, updates, forget = outcome.artefact, outcome.updates, outcome.forget
    digest = digest.removeprefix("sha256:")
    model = state.arms["champion"].made_of if model is None else model
    loaded = load(state, turn, digest, model, made_for=arguments.id)
    replaced = put_new(state, turn, loaded, updates, "install")
    if arguments.pin:
        state.versions.pin(replaced.after.id, pinned=True)
    if arguments.recipe is not None and arguments.recipe.without is not None:
        _leave_out(state, arguments.recipe.without, forget)
    return f"installed {replaced.after.id} in place of {replaced.before.id}"


def check(arguments: Install) -> None:
    """Refuse an install that has not either a recipe or an artefact."""
    if (arguments.artefact is None) == (arguments.recipe is None):
        raise Refusal("an install has either a recipe or an artefact.")
    if arguments.id is None:
        raise Refusal("an install needs an id: that of its job, or the one for which its artefact was written.")


def _job(state: State, turn: Turn, arguments: Install) -> Job:
    """Find the job whose model this is; Refusal if it is not as it was asked for."""
    if arguments.id not in state.jobs:
        raise Refusal(f"there is no job '{arguments.id}' under way.")
    if not stands_alone(turn.message):
        raise Refusal("an install with a recipe stands alone in its message.")
    job = decode_job(state.jobs[arguments.id])
    if arguments.recipe != job.recipe or arguments.model not in (None, job.model):
        raise Refusal("its recipe or its model is not that of its job.")
    return job


def _outcome(turn: Turn, arguments: Install) -> Outcome:
    """Find how the job has ended. LogError if the log does not say so yet: a shard does not fold on before it does."""
    assert arguments.id is not None
    outcome = turn.supplies.promises.outcome(arguments.id, Place(turn.message.offset, turn.row))
    if outcome is None:
        raise LogError(
            f"the promise '{arguments.id}' has no outcome yet.", "Wait for its job, or append an outcome of null."
        )
    return outcome


def _leave_out(state: State, without: Without, forget: Iterable[str]) -> None:
    """Note what the recipe has left out, and what of it waits for its other half."""
    state.left_out = msgspec.json.encode(without, order="deterministic")
    waiting = {name: at for name, at in state.forgotten.items() if at > state.clock - state.task.wait_ms}
    state.forgotten = waiting | dict.fromkeys(forget, state.clock)


def note_outcome(_state: State, _turn: Turn, _arguments: Outcome) -> str:
    """Do nothing more: the shard read ahead for it when it met the promise."""
    return ""

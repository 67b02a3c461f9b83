"""Control records: an operator, or a job, asks for something, and the fold does it at that place of the log."""

from collections.abc import Iterator

import msgspec

from headrace.learning.acts.champion import save_version
from headrace.learning.acts.refusal import Refusal
from headrace.learning.commands import COMMANDS
from headrace.learning.effects import Acted, Effect
from headrace.learning.errors import SnapshotError
from headrace.learning.fold.event_time import settle
from headrace.learning.fold.expiry import pass_time
from headrace.learning.fold.learn import learn_rows
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.plain import plain
from headrace.learning.promises import Install
from headrace.learning.records import Control
from headrace.learning.state import remember
from headrace.learning.turn import Turn

DID_MAX = 500
"""Characters of what a control record did that are remembered."""


def carry_out(parts: LearnerParts, turn: Turn, control: Control) -> None:
    """Carry out a control record, once for each id; or refuse it, and say why."""
    command = COMMANDS.get(control.command)
    if command is None:
        what, remedy = COMMANDS.describe_unknown(control.command[:80])
        turn.refuse("control", f"{what} {remedy}")
        return
    state = parts.state
    try:
        arguments = msgspec.convert(control.arguments, command.arguments)
    except msgspec.ValidationError as error:
        turn.refuse("control", f"the command '{control.command}': {plain(error)[:200]}.")
        return
    if arguments.id is not None and arguments.id in state.controls:
        state.skipped += 1
        return
    promise = arguments.id if isinstance(arguments, Install) and arguments.recipe is not None else None
    if arguments.id in state.jobs and arguments.id != promise:
        turn.refuse("control", f"the command '{control.command}': '{arguments.id}' is a job's. Send another id.")
        return
    before = state.arms["champion"].digest if control.command != "tick" else ""
    try:
        did = command.act(state, turn, arguments)
    except (Refusal, SnapshotError) as refusal:
        did = f"refused: {refusal}"
        turn.refuse("control", f"the command '{control.command}': {plain(refusal)}")
    if promise is not None:
        state.jobs.pop(promise, None)  # whatever came of it
    if arguments.id is not None:
        remember(state, arguments.id, did[:DID_MAX])
    if did:
        turn.emit(
            Acted(
                id=turn.next_id(),
                control=arguments.id,
                command=control.command,
                did=did,
                by=arguments.by,
                before=before,
                after=state.arms["champion"].digest,
                time=turn.clock / 1000,
            )
        )


def before_install(parts: LearnerParts, turn: Turn) -> Iterator[list[Effect]]:
    """Have the model that is there learn what it has collected, and, where a job's comes, all that is held back: the job's has learned it too."""
    if parts.supplies.promises.made_in(turn.message, parts.state.jobs) is not None:
        yield from hold_nothing_back(parts, turn)
    elif parts.batch is not None:
        yield from learn_rows(parts, turn, parts.batch.take())


def hold_nothing_back(parts: LearnerParts, turn: Turn) -> Iterator[list[Effect]]:
    """Handle the records that wait for earlier ones, and learn the labels that were collected."""
    yield from _let_go(parts, turn)
    if parts.batch is not None:
        yield from learn_rows(parts, turn, parts.batch.take())


def _let_go(parts: LearnerParts, turn: Turn) -> Iterator[list[Effect]]:
    """Handle the records that wait for earlier ones."""
    if parts.order is not None and parts.state.order.held:
        parts.order.wait_no_longer()
        yield from settle(parts, turn)


def follow(parts: LearnerParts, turn: Turn) -> Iterator[list[Effect]]:
    """Go over to the definition that a control record has put in force. What no longer waits by it is done first, by the old one."""
    state, before, after = parts.state, parts.task, parts.state.task
    if after.order != "event_time":
        yield from _let_go(parts, turn)
    if parts.batch is not None and after.update is None and state.batch.rows:
        yield from learn_rows(parts, turn, parts.batch.take())
    state.join.floor = max(state.join.floor, state.clock - before.wait_ms + 1)
    parts.follow_definition()
    if parts.due_at <= state.clock:
        yield from pass_time(parts, turn)


def save_by_updates(parts: LearnerParts, turn: Turn) -> None:
    """Save the champion as a version, now that it has learned so many labels since the last one."""
    try:
        save_version(parts.state, turn, "updates")
    except SnapshotError as error:
        turn.alert("not_saved", f"no version can be saved: {error.what}")

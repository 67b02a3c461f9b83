"""The reaction `rollback`: go back to the last good version. It is what the guards ask for."""

from typing import ClassVar

from headrace.learning.acts.champion import Loaded, copy_model, replace, save_version, task_of
from headrace.learning.guards import LAST_GOOD
from headrace.learning.reactions.reaction import Declined
from headrace.learning.signals import Signal
from headrace.learning.state import State
from headrace.learning.turn import Turn


class Rollback:
    """Saves the champion as a version, and puts a copy of its last good version in its place, which learns on from there."""

    name: ClassVar[str] = "rollback"
    changes: ClassVar[bool] = True
    ends: ClassVar[bool] = True

    def act(self, state: State, turn: Turn, signal: Signal) -> str:  # noqa: ARG002
        """Go back; decline where there is no good version, or it is what answers already."""
        good, champion = state.arms.get(LAST_GOOD), state.arms["champion"]
        if good is None or good.version is None:
            raise Declined("there is no version to go back to yet")
        if good.digest == champion.digest:
            raise Declined(f"the champion is {good.version} already")
        task = task_of(state.task, turn, good.made_of)
        model = copy_model(good, task.modules)
        saved = save_version(state, turn, "rollback", keep=good.version)
        replace(state, Loaded(task, model), good.version, good.updates)
        return f"rolled back from {saved.id} to {good.version}"

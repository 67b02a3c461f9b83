"""The reaction `retrain`: a job makes a model from the last part of the log, and has it installed."""

from typing import ClassVar

from headrace.learning.acts.job import Job, ask_job, note_job
from headrace.learning.acts.refusal import Refusal
from headrace.learning.parameters import Count, Passes
from headrace.learning.recipe import Recipe
from headrace.learning.signals import Signal
from headrace.learning.state import State
from headrace.learning.turn import Turn


class Retrain:
    """Asks for a job that makes a new model from the last messages of the log.

    Parameters
    ----------
    messages
        How many messages before this one the job begins with.
    passes
        How often it learns them.
    """

    name: ClassVar[str] = "retrain"
    changes: ClassVar[bool] = True
    ends: ClassVar[bool] = True

    def __init__(self, messages: Count = 10_000, passes: Passes = 1):
        self.messages, self.passes = messages, passes

    def find_hindrance(self, state: State, turn: Turn, signal: Signal) -> str | None:
        """Say why there may be no further job."""
        try:
            note_job(state, turn, self._job(turn))
        except Refusal as refusal:
            return str(refusal)
        return None

    def act(self, state: State, turn: Turn, signal: Signal) -> str:
        """Ask for the job."""
        return ask_job(state, turn, self._job(turn))

    def _job(self, turn: Turn) -> Job:
        here = turn.message.offset
        recipe = Recipe(why="retrain", start=max(here - self.messages, 0), passes=self.passes)
        return Job(job=f"drift-{turn.shard.rpartition('/')[2]}-{here}-{turn.row}", recipe=recipe)

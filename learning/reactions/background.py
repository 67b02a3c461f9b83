"""The reaction `background`: a new model learns beside the champion, and takes its place once it is better."""

from typing import ClassVar

from headrace.learning.acts.champion import make, put_arm, task_of
from headrace.learning.arms import Arm
from headrace.learning.guards.background_test import BackgroundTest
from headrace.learning.parameters import Count
from headrace.learning.signals import Signal
from headrace.learning.state import State
from headrace.learning.task import BACKGROUND
from headrace.learning.turn import Turn


class Background:
    """Begins a new model of the champion's making as a challenger. It takes the champion's place when a confidence sequence says that it is better.

    With `on = ["warning", "error"]` it begins at a warning, so that it has learned something when the drift is certain.

    Parameters
    ----------
    give_up
        The labels after which a challenger that is not better is dropped.
    """

    name: ClassVar[str] = "background"
    changes: ClassVar[bool] = True
    ends: ClassVar[bool] = True

    def __init__(self, give_up: Count = 10_000):
        self.give_up = give_up

    def find_hindrance(self, state: State, turn: Turn, signal: Signal) -> str | None:
        """Say that there is a challenger already."""
        return "there is a challenger in the background already" if BACKGROUND in state.arms else None

    def act(self, state: State, turn: Turn, signal: Signal) -> str:
        """Begin the challenger."""
        task = task_of(state.task, turn, state.arms["champion"].made_of)
        make(task)
        put_arm(state, BACKGROUND, Arm(task, role="challenger"))
        state.background = BackgroundTest(state.task, self.give_up, signal.id)
        return f"a new model learns beside the champion, for {self.give_up} labels at most"

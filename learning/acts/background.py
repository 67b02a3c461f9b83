"""The challenger in the background: it learns beside the champion until it is better, or is given up."""

from collections.abc import Mapping
from typing import NamedTuple

from headrace.learning.acts.champion import drop_arm, promote_arm
from headrace.learning.prediction import Prediction
from headrace.learning.state import State
from headrace.learning.task import BACKGROUND, Label
from headrace.learning.turn import Turn

DROPPED = {
    "a_better": "the champion is better",
    "equivalent": "it is no better than the champion",
    "budget_exhausted": "it was not better in time",
}
"""What a verdict says of a challenger that is dropped."""


class Ended(NamedTuple):
    """What came of a challenger, and the digest of the champion before it; empty if the champion stays."""

    did: str
    before: str


def compare_background(
    state: State, turn: Turn, predictions: Mapping[str, Prediction | None], label: Label
) -> Ended | None:
    """Compare the champion and the challenger on a label; return what came of it if that is decided now.

    Parameters
    ----------
    state, turn
        Of the fold.
    predictions
        What each arm had predicted.
    label
        The label.
    """
    champion, challenger = predictions.get("champion"), predictions.get(BACKGROUND)
    if champion is None or challenger is None:
        return None
    verdict = state.background.update(champion, challenger, label)
    if verdict == "continue":
        return None
    if verdict != "b_better":
        drop_arm(state, BACKGROUND)
        return Ended(f"the model in the background was dropped: {DROPPED[verdict]}", "")
    before = state.arms["champion"].digest
    replaced = promote_arm(state, turn, BACKGROUND, "reaction")
    return Ended(f"the model in the background is better, and took the place of {replaced.before.id}", before)

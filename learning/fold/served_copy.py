"""A copy to answer from, of a learner whose model changes when it is asked."""

import copy
from collections.abc import Callable, Sequence

from headrace.learning.encoding import decode, encode
from headrace.learning.fold.learner import Learner

SHARE = 0.05
"""The part of the time that copying may take: a model that is large is copied more seldom."""

ANSWERS_MAX = 1_000
"""Answers that one copy gives: every one may make it larger."""


def copy_for_answers(learner: Learner, own_modules: Sequence[str] = ()) -> Learner:
    """A learner whose arms are copies, so that asking them changes nothing in the one that folds. It must not fold itself.

    Parameters
    ----------
    learner
        The one that folds; between two rows.
    own_modules
        As for `learning.encoding.decode`.
    """
    state = copy.copy(learner.state)
    state.arms = decode(encode(state.arms), own_modules)
    return Learner(learner.task, learner.partition, state)


class ServedCopy:
    """Keeps a copy to answer from, and renews it when the learner has gone on.

    A copy is used until the learner's position has moved *and* copying has had no more than its share of the time; so answers are a
    little behind, and say so by their position. A copy that has answered a thousand times is renewed too, for asking made it larger.

    Parameters
    ----------
    clock
        Seconds that never go back.
    own_modules
        As for `learning.encoding.decode`.

    Examples
    --------
    >>> from headrace.learning.task import Task
    >>> learner = Learner(Task(name="ads", kind="binary"), partition=0)
    >>> served = ServedCopy(clock=lambda: 0.0)
    >>> served.of(learner) is served.of(learner)
    True
    """

    def __init__(self, clock: Callable[[], float], own_modules: Sequence[str] = ()):
        self.clock, self.own_modules = clock, own_modules
        self._copy: Learner | None = None
        self._source: Learner | None = None
        self._answers = 0
        self._free_at = self._copied_at = 0.0

    @property
    def age(self) -> float:
        """Seconds since the copy was made."""
        return self.clock() - self._copied_at

    def of(self, learner: Learner, min_position: float = 0) -> Learner:
        """The learner to ask in place of this one, once.

        Parameters
        ----------
        learner
            The one that folds.
        min_position
            A position that the copy must have folded, if the learner has.
        """
        held = self._copy
        if held is None or self._source is not learner or self._is_worn(held, learner, min_position):
            started = self.clock()
            held = self._copy = copy_for_answers(learner, self.own_modules)
            self._source, self._answers = learner, 0
            now = self.clock()
            self._copied_at = now
            self._free_at = now + (now - started) / SHARE
        self._answers += 1
        return held

    def _is_worn(self, held: Learner, learner: Learner, min_position: float) -> bool:
        if self._answers >= ANSWERS_MAX or held.state.position < min_position <= learner.state.position:
            return True
        return held.state.position != learner.state.position and self.clock() >= self._free_at

"""A copy of a learner that serves predictions, for a model that changes when it predicts."""

import copy
from collections.abc import Callable, Sequence

from headrace.learning.encoding import decode, encode
from headrace.learning.fold.learner import Learner

SHARE = 0.05
"""The share of time that copying may take, 0 to 1: a large model is copied less often."""

ANSWERS_MAX = 1_000
"""The most predictions of one copy: each one may make the copy larger."""


def copy_for_answers(learner: Learner, own_modules: Sequence[str] = ()) -> Learner:
    """Make a learner whose arms are copies, so that their predictions do not change the learner that folds. It must not fold.

    Parameters
    ----------
    learner
        The learner that folds; it must be between two rows.
    own_modules
        As for `learning.encoding.decode`.
    """
    state = copy.copy(learner.state)
    state.arms = decode(encode(state.arms), own_modules)
    return Learner(learner.task, learner.partition, state)


class ServedCopy:
    """Keeps a copy of a learner to predict with, and renews it when the learner has folded more.

    The copy is renewed when the learner's position has moved and copying has not exceeded its share of time. So predictions lag a little,
    and name the position of the copy. A copy is also renewed after a thousand predictions, because each may have made it larger.

    Parameters
    ----------
    clock
        A monotonic clock, in seconds.
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
        """Return the copy for one prediction; renew it first if it is worn.

        Parameters
        ----------
        learner
            The learner that folds.
        min_position
            The position that the copy must have reached, if the learner has reached it.
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

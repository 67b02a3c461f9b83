"""Refuses questions with `log` before they are appended, if the fold would refuse them afterwards."""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator

import structlog

from headrace.agents.shards import Shards
from headrace.app.serving.refused import RequestRefused
from headrace.learning.fold.learner import Learner
from headrace.learning.plain import plain_error
from headrace.learning.prediction import Prediction, Served
from headrace.learning.task import Value
from headrace.learning.waiting.join import ENTRY_MAX, WaitingQuestion, encode

log = structlog.get_logger()

GROWTH_BYTES = 1024
"""Bytes by which an entry may grow until it is folded, since the model may know more classes by then."""

IDS_MAX = 100_000
"""The number of ids that are remembered while no model here has folded their questions; then the oldest are forgotten."""

QuestionId = tuple[int, str]
"""The shard and the id of a question, which together identify it in a task."""


class UnderWay:
    """Remembers the ids of the questions that this process appends for one task, until a model here has folded them.

    Of two questions with one id the fold takes the first in the log. This class refuses the second question while the first is on its way
    to the log, and asks the fold after that. A worker that does not own the shard has no fold to ask, so it cannot refuse a question if the
    first was logged by another worker, or was folded already.

    Parameters
    ----------
    shards
        The shards of the task, with their positions and learners.
    """

    def __init__(self, shards: Shards):
        self.shards = shards
        self._offsets: dict[QuestionId, int | None] = {}
        self._sent: deque[tuple[QuestionId, int]] = deque()
        self._sending: set[QuestionId] = set()

    @contextlib.contextmanager
    def claimed(self, ids: Iterable[QuestionId]) -> Iterator[None]:
        """Claim ids for questions that are about to be appended. Ids of questions that are not appended in this context are released.

        Raises
        ------
        RequestRefused
            A question with one of the ids is in the log already, or on its way.
        """
        self._forget_passed()
        claimed: list[QuestionId] = []
        try:
            for question_id in ids:
                if question_id in self._offsets or self._is_folded(question_id):
                    what = f"a question with the id '{question_id[1][:80]}' is in the log already, or on its way there."
                    remedy = "Give each question an id of its own. For an answer alone, ask without log."
                    raise RequestRefused("conflict", "duplicate_id", what, remedy)
                self._offsets[question_id] = None
                claimed.append(question_id)
            yield
        finally:
            for question_id in claimed:
                if question_id not in self._sending and self._offsets.get(question_id, 0) is None:
                    del self._offsets[question_id]

    def sending(self, question_id: QuestionId) -> None:
        """Keep the id of a question that is appended later, until `sent` is called."""
        self._sending.add(question_id)

    def sent(self, question_id: QuestionId, offset: int | None) -> None:
        """Record the offset of a question in the log; None if it was not appended."""
        self._sending.discard(question_id)
        if offset is None:
            self._offsets.pop(question_id, None)
        elif question_id in self._offsets:
            self._offsets[question_id] = offset
            self._sent.append((question_id, offset))

    def _forget_passed(self) -> None:
        while self._sent and (self._is_passed(*self._sent[0]) or len(self._sent) > IDS_MAX):
            question_id, offset = self._sent.popleft()
            if self._offsets.get(question_id) == offset:
                del self._offsets[question_id]

    def _is_passed(self, question_id: QuestionId, offset: int) -> bool:
        model = self.shards.owned.get(question_id[0]) or self.shards.answering(question_id[0])
        return model is not None and model.position > offset

    def _is_folded(self, question_id: QuestionId) -> bool:
        """Say whether the fold would refuse a question with this id, as far as this worker knows."""
        partition, record_id = question_id
        owned = self.shards.owned.get(partition)
        if owned is None or owned.status != "live" or owned.learner is None:
            return False
        learner = owned.learner
        try:
            entry = learner.join.find(record_id, learner.state.step + 1, learner.state.clock)
        except Exception as error:  # noqa: BLE001 the shard reports a failed database, and the fold refuses a duplicate
            log.debug("cannot look up the id of a question", task=self.shards.task.name, error=plain_error(error))
            return False
        return entry.met or entry.question is not None


def refuse_large(learner: Learner, features: dict[str, Value], prediction: Prediction | None) -> None:
    """Raise RequestRefused if a question, with its present prediction, has too many bytes to wait for its label."""
    state = learner.state
    frozen = None if prediction is None else prediction.freeze()
    served = Served("champion", None if prediction is None else prediction.value, state.position)
    entry = encode(WaitingQuestion(state.clock, features, dict.fromkeys(state.arms, frozen), served))
    if len(entry) > ENTRY_MAX - GROWTH_BYTES:
        what = f"the question takes {len(entry)} bytes with its prediction, and up to {ENTRY_MAX - GROWTH_BYTES} can wait for a label."
        raise RequestRefused("too_large", "too_large", what, "Send fewer or shorter features, or ask without log.")

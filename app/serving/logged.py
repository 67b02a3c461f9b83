"""Refuses questions that are to be logged before they are appended, where the fold would refuse them afterwards."""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator

import structlog

from headrace.agents.shards import Shards
from headrace.app.serving.refused import RequestRefused
from headrace.learning.fold.learner import Learner
from headrace.learning.prediction import Prediction, Served
from headrace.learning.task import Value
from headrace.learning.waiting.join import ENTRY_MAX, WaitingQuestion, encode

log = structlog.get_logger()

GROWTH_BYTES = 1024
"""Bytes by which an entry may grow until it is folded: the model that predicts then may know another class."""

IDS_MAX = 100_000
"""Ids that are remembered while no model here passes their questions; the oldest are forgotten."""

Name = tuple[int, str]
"""The shard and the id of a question."""


class UnderWay:
    """The ids of the questions of one task that this process appends, from the request until a model here has passed their offset.

    Two questions under one id are in the log one after the other, and the fold takes the first. This refuses the second while the first
    is on its way, and asks the fold when it has arrived. A worker that does not own the shard has no fold to ask: it refuses no question
    whose first was logged elsewhere, or has been passed.

    Parameters
    ----------
    shards
        Tell the positions, and have the folds.
    """

    def __init__(self, shards: Shards):
        self.shards = shards
        self._offsets: dict[Name, int | None] = {}
        self._sent: deque[tuple[Name, int]] = deque()
        self._sending: set[Name] = set()

    @contextlib.contextmanager
    def claimed(self, names: Iterable[Name]) -> Iterator[None]:
        """Claim ids for questions that are about to be appended; those that are not appended in this context are free again.

        Raises
        ------
        RequestRefused
            There is a question under one of the ids already, or another one on its way.
        """
        self._forget_passed()
        claimed: list[Name] = []
        try:
            for name in names:
                if name in self._offsets or self._is_folded(name):
                    what = f"a question with the id '{name[1][:80]}' is in the log already, or on its way there."
                    remedy = "Give each question an id of its own. For an answer alone, ask without log."
                    raise RequestRefused("conflict", "duplicate_id", what, remedy)
                self._offsets[name] = None
                claimed.append(name)
            yield
        finally:
            for name in claimed:
                if name not in self._sending and self._offsets.get(name, 0) is None:
                    del self._offsets[name]

    def sending(self, name: Name) -> None:
        """Keep an id for a question for whose acknowledgement nobody waits, until `sent` is called."""
        self._sending.add(name)

    def sent(self, name: Name, offset: int | None) -> None:
        """Note where a question is in the log, or that it is not (None)."""
        self._sending.discard(name)
        if offset is None:
            self._offsets.pop(name, None)
        elif name in self._offsets:
            self._offsets[name] = offset
            self._sent.append((name, offset))

    def _forget_passed(self) -> None:
        while self._sent and (self._is_passed(*self._sent[0]) or len(self._sent) > IDS_MAX):
            name, offset = self._sent.popleft()
            if self._offsets.get(name) == offset:
                del self._offsets[name]

    def _is_passed(self, name: Name, offset: int) -> bool:
        model = self.shards.owned.get(name[0]) or self.shards.answering(name[0])
        return model is not None and model.position > offset

    def _is_folded(self, name: Name) -> bool:
        """Whether the fold would refuse a question under this id, as far as is known here."""
        partition, text = name
        owned = self.shards.owned.get(partition)
        if owned is None or owned.status != "live" or owned.learner is None:
            return False
        learner = owned.learner
        try:
            entry = learner.join.find(text, learner.state.step + 1, learner.state.clock)
        except Exception as error:  # noqa: BLE001 a database in trouble is the shard's to report; the fold will judge
            log.debug("cannot look up the id of a question", task=self.shards.task.name, error=repr(error))
            return False
        return entry.met or entry.question is not None


def refuse_large(learner: Learner, features: dict[str, Value], prediction: Prediction | None) -> None:
    """Raise RequestRefused if a question has too many bytes to wait for its label, by what the model says of it now."""
    state = learner.state
    frozen = None if prediction is None else (prediction.value, prediction.probabilities)
    served = Served("champion", None if prediction is None else prediction.value, state.position)
    entry = encode(WaitingQuestion(state.clock, features, dict.fromkeys(state.arms, frozen), served))
    if len(entry) > ENTRY_MAX - GROWTH_BYTES:
        what = f"the question takes {len(entry)} bytes with its prediction, and up to {ENTRY_MAX - GROWTH_BYTES} can wait for a label."
        raise RequestRefused("too_large", "too_large", what, "Send fewer or shorter features, or ask without log.")

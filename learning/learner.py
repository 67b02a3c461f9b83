"""The learner: folds the event log of one shard into a state, one record after the other."""

import math
from collections import deque
from collections.abc import Iterator, Sized
from typing import Any, Protocol

from msgspec import UNSET

from learning.arm import Arm
from learning.effects import Alert, Drift, Effect, Predicted, Quarantined
from learning.prediction import Prediction
from learning.records import Control, Reader, Record, Refused
from learning.task import Task, Value

PROBES = 32
"""Recent inputs kept in the state; a loaded snapshot must answer them as it did when it was saved."""


class Message(Protocol):
    """A message of the event log, as a Kafka client hands it over. `timestamp` is in milliseconds since the epoch."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class State:
    """All that a learner carries from record to record; its digest stands for it.

    Attributes
    ----------
    position
        The offset of the next message to fold.
    clock
        Log time in milliseconds: the largest timestamp folded so far.
    updates
        Labels learned by the champion.
    quarantined
        Records refused.
    arms
        Name to arm; the champion is always there.
    probes
        The features of the last samples.
    """

    def __init__(self, task: Task):
        self.position = 0
        self.clock = 0
        self.updates = 0
        self.quarantined = 0
        self.arms = {"champion": Arm(task, role="champion")}
        self.probes: deque[dict[str, Value]] = deque(maxlen=PROBES)


class Learner:
    """A pure object: the same messages, folded from the same state, give the same state and the same effects.

    Parameters
    ----------
    task
        What is learned, and with which model.
    partition
        The shard.
    state
        Where to go on from; a new one starts at position 0.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> learner = Learner(Task(name="ads", kind="binary"), partition=0)
    >>> value = b'{"features": {"price": 3.5}, "label": true}'
    >>> for effects in learner.fold(SimpleNamespace(offset=0, timestamp=0, key=None, value=value)):
    ...     print(effects)
    []
    >>> learner.state.position, learner.state.updates
    (1, 1)
    """

    def __init__(self, task: Task, partition: int, state: State | None = None):
        self.task = task
        self.partition = partition
        self.state = state or State(task)
        self.reader = Reader(task)
        self.between_messages = True

    @property
    def champion(self) -> Arm:
        """The arm whose predictions are served."""
        return self.state.arms["champion"]

    def fold(self, message: Message) -> Iterator[list[Effect]]:
        """Fold one message row by row, yielding each row's effects; the position moves with the last row.

        Between two rows of a message the state belongs to no position (`between_messages` is False): it must not be saved then,
        and its digest says nothing.
        """
        state = self.state
        if message.offset < state.position:
            msg = f"offset {message.offset} was folded before: the position is {state.position}"
            raise ValueError(msg)
        self.between_messages = False
        if message.timestamp > state.clock:  # noqa: PLR1730 half the cost of max(), at every message
            state.clock = message.timestamp
        records = self.reader.read(message.value)
        last = len(records) - 1
        for row, record in enumerate(records):
            effects = self.apply(record, message, row)
            if row == last:
                state.position = message.offset + 1
                self.between_messages = True
            yield effects

    def pass_over(self, offset: int) -> None:
        """Step over offsets that are known to hold no message: transaction markers, compacted records."""
        self.state.position = max(self.state.position, offset)

    def apply(self, record: Record | Control | Refused, message: Message, row: int) -> list[Effect]:
        """Fold one record; what it wants told outside."""
        if isinstance(record, Refused):
            return self._quarantine(record, message, row)
        if isinstance(record, Control):
            reason = f"the command '{record.command[:80]}' is not known. See docs/design.md for those that are."
            return self._quarantine(Refused("control", reason, line_of(message, row)), message, row)
        if record.features is UNSET or record.label is UNSET:
            kind = "label" if record.features is UNSET else "question"
            reason = f"a {kind} cannot be joined yet. Send samples: features and label together."
            return self._quarantine(Refused(kind, reason, line_of(message, row)), message, row)
        return self._learn(record, message, row)

    def _learn(self, record: Record, message: Message, row: int) -> list[Effect]:
        """Predict, score, learn; in that order, for every arm."""
        state, features, label = self.state, record.features, record.label
        assert features is not UNSET
        assert label is not UNSET
        effects: list[Effect] = []
        for name, arm in state.arms.items():
            prediction = arm.predict(features)
            if prediction is not None and not is_finite(prediction):
                prediction = None
                if not arm.broken:
                    arm.broken = True
                    detail = f"arm '{name}' no longer predicts finite numbers at position {message.offset}; it goes unscored."
                    effects.append(
                        Alert(
                            id=self._id(message, row, effects),
                            code="not_finite",
                            detail=detail,
                            time=state.clock / 1000,
                        )
                    )
            change = arm.score(prediction, label)
            if change is not None:
                effects.append(Drift(id=self._id(message, row, effects), arm=name, detector=arm.detector.name,
                                     before=change.before, after=change.after, width_before=change.width_before,
                                     width=change.width, time=state.clock / 1000))  # fmt: skip
            if self.task.predictions:
                known = None if record.id is UNSET else record.id
                effects.append(
                    Predicted(
                        id=self._id(message, row, effects), record=known, arm=name, prediction=prediction, label=label
                    )
                )
            arm.learn(features, label)
        state.updates += 1
        state.probes.append(features)
        return effects

    def _quarantine(self, refused: Refused, message: Message, row: int) -> list[Effect]:
        self.state.quarantined += 1
        return [Quarantined(id=self._id(message, row, ()), code=refused.code, reason=refused.reason, offset=message.offset,
                            row=row, key=message.key, value=refused.value)]  # fmt: skip

    def _id(self, message: Message, row: int, effects: Sized) -> str:
        return f"{self.task.name}/{self.partition}/{message.offset}/{row}/{len(effects)}"

    def describe(self) -> dict[str, Any]:
        """What `GET /v1/{task}` says of this shard's state, but for the digest."""
        state = self.state
        return {
            "position": state.position,
            "updates": state.updates,
            "quarantined": state.quarantined,
            "arms": {name: arm.describe(self.task.model_name) for name, arm in state.arms.items()},
        }


def line_of(message: Message, row: int) -> bytes:
    """The bytes of one row of a message."""
    return (message.value or b"").split(b"\n")[row]


def is_finite(prediction: Prediction) -> bool:
    """Whether a prediction is made of finite numbers."""
    if prediction.probabilities is None:
        return math.isfinite(prediction.value)  # type: ignore[arg-type]
    return math.isfinite(prediction.probabilities[prediction.value])

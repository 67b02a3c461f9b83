"""The learner: folds the event log of one shard into a state, one record after the other."""

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from headrace.learning.arm import Arm
from headrace.learning.batch import Batch, BatchState, Row
from headrace.learning.commands import COMMANDS
from headrace.learning.effects import Alert, Drift, Effect, How, Predicted, Quarantined, Resolved
from headrace.learning.join import ENTRY_MAX, Early, Frozen, Join, JoinState, Marker, Origin, Question, plain
from headrace.learning.labels import declared_type, find_label_fault, initial_labels, type_of
from headrace.learning.mark import Mark, Marked
from headrace.learning.metrics import ServedScores
from headrace.learning.names import Known, Names, is_bounded
from headrace.learning.order import Held, Order, OrderState
from headrace.learning.pending import InMemory, Pending
from headrace.learning.prediction import Prediction, is_finite
from headrace.learning.records import Control, Reader, Record, Refused
from headrace.learning.sources import SOURCES_MAX, advance
from headrace.learning.task import Label, Task, Unanswered, Value

PROBES = 32
"""Recent inputs kept in the state; a loaded snapshot must answer them as it did when it was saved."""

CHUNK = 64
"""Rows of a batch that are learned between two breaths."""


Message = Marked
"""A message of the event log."""


class State:
    """All that a learner carries from record to record; its digest stands for it.

    Attributes
    ----------
    position
        The offset of the next message to fold.
    last
        The mark of the last message folded, by which the log is recognised; None before the first.
    clock
        Log time in milliseconds: the largest timestamp folded so far.
    step
        Records acted upon; each one's number is that of its entry in the join.
    updates
        Labels learned by the champion.
    quarantined
        Records refused.
    skipped
        Records that had been folded from the same source position before.
    arms
        Name to arm; the champion is always there.
    join, order, batch
        What waits for its other half, for its time, and to be learned.
    served
        The metrics of what users were really told.
    sources
        Source topic and partition to the last offset and row folded from there.
    probes
        The features of the last samples.
    label_type
        Of a multiclass task: the type of its labels, `int` or `str`; None until the first label.
    labels
        Of a multiclass task that declares none: the labels met so far.
    names
        The names learned so far, where the task's declaration does not limit them.
    """

    def __init__(self, task: Task):
        self.position = 0
        self.last: Mark | None = None
        self.clock = 0
        self.step = 0
        self.updates = 0
        self.quarantined = 0
        self.skipped = 0
        self.arms = {"champion": Arm(task, role="champion")}
        self.join = JoinState()
        self.order = OrderState()
        self.batch = BatchState()
        self.served = ServedScores(task.kind)
        self.sources: dict[str, tuple[int, int]] = {}
        self.probes: deque[dict[str, Value]] = deque(maxlen=PROBES)
        self.label_type = declared_type(task)
        self.labels = initial_labels(task)
        self.names: Known = {}


class Learner:
    r"""A pure object: the same messages, folded from the same state, give the same state and the same effects.

    Parameters
    ----------
    task
        What is learned, and with which model.
    partition
        The shard.
    state
        Where to go on from; a new one starts at position 0.
    pending
        The entries of the join that belong to the state; entries of later steps do no harm.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> learner = Learner(Task(name="ads", kind="binary"), partition=0)
    >>> value = b'{"id": "a", "features": {"price": 3.5}}\n{"id": "a", "label": true}'
    >>> for effects in learner.fold(SimpleNamespace(offset=0, timestamp=0, key=None, value=value)):
    ...     print(effects)
    []
    []
    >>> learner.state.position, learner.state.updates
    (1, 1)
    """

    def __init__(self, task: Task, partition: int, state: State | None = None, pending: Pending | None = None):
        self.task = task
        self.partition = partition
        self.state = state = state or State(task)
        self.reader = Reader(task)
        self.join = Join(state.join, pending or InMemory(), task.wait_ms)
        self.order = Order(state.order, task.lateness_ms) if task.order == "event_time" else None
        self.batch = Batch(state.batch, task.update) if task.update else None
        self.names = None if is_bounded(task) else Names(task.name_limit, state.names)
        self.between_messages = True
        self._collects = self.order is not None or self.batch is not None
        self._multiclass = task.kind == "multiclass"
        self._effects: list[Effect] = []
        self._told = 0
        self._message: Message
        self._row = 0
        self._origin: Origin | None = None

    @property
    def champion(self) -> Arm:
        """The arm whose predictions are served."""
        return self.state.arms["champion"]

    @property
    def due_at(self) -> float:
        """The log time in milliseconds at which something happens even if no record comes; infinity if nothing waits."""
        waiting = [self.join.due_at]
        if self.order is not None:
            waiting.append(self.order.due_at)
        if self.batch is not None:
            waiting.append(self.batch.due_at)
        return min((at for at in waiting if at is not None), default=math.inf)

    def fold(self, message: Message) -> Iterator[list[Effect]]:
        """Fold one message row by row, yielding effects as they arise; the position moves with the last row.

        Before that the state belongs to no position (`between_messages` is False): it must not be saved then, and its digest says
        nothing.
        """
        state = self.state
        if message.offset < state.position:
            msg = f"offset {message.offset} was folded before: the position is {state.position}"
            raise ValueError(msg)
        if not self.between_messages:
            msg = f"a message is folded in part: the state belongs to no position after {state.position}"
            raise ValueError(msg)
        self.between_messages = False
        self._message, self._row, self._told = message, 0, 0
        if message.timestamp > state.clock:  # noqa: PLR1730 half the cost of max(), at every message
            state.clock = message.timestamp
        if self.due_at <= state.clock:
            yield from self._pass_time()
        records = self.reader.read(message.value)
        last = len(records) - 1
        for row, record in enumerate(records):
            if row:
                self._row, self._told = row, 0
            effects = self._effects = []
            self._take(record)
            if self._collects:
                yield from self._settle()
                effects = self._effects
            if row == last:
                state.position = message.offset + 1
                state.last = Mark.of(message)
                self.between_messages = True
            yield effects

    def pass_over(self, offset: int) -> None:
        """Step over offsets that are known to hold no message: transaction markers, compacted records."""
        self.state.position = max(self.state.position, offset)

    def describe(self) -> dict[str, Any]:
        """What `GET /v1/{task}` says of this shard's state, but for the digest."""
        state = self.state
        told = {
            "position": state.position,
            "updates": state.updates,
            "quarantined": state.quarantined,
            "skipped": state.skipped,
            "questions": self.join.describe(),
            "served": state.served.values(),
        }
        if self.order is not None:
            told["order"] = state.order.describe()
        if self.batch is not None:
            told["batch"] = {"collected": len(state.batch.rows), "overflows": state.batch.overflows}
        return told | {"arms": {name: arm.describe(self.task.model_name) for name, arm in state.arms.items()}}

    # A record comes.

    def _take(self, record: Record | Control | Refused) -> None:
        """Act upon a record now, or let it wait until its time has come."""
        if isinstance(record, Refused):
            self._quarantine(record.code, record.reason, record.value)
        elif isinstance(record, Control):
            self._command(record)
        elif record.source is UNSET or self._is_to_be_folded(record.source):
            if self.order is None:
                self._act(record)
            else:
                self._hold(self.order, record)

    def _command(self, control: Control) -> None:
        command = COMMANDS.get(control.command)
        if command is not None:
            command(control)
        else:
            reason = f"the command '{control.command[:80]}' is not known. See docs/design.md for those that are."
            self._quarantine("control", reason)

    def _is_to_be_folded(self, source: str) -> bool:
        """Whether this source position is ahead of the last one folded, which it is now."""
        found = advance(self.state.sources, source)
        if found == "known":
            self.state.skipped += 1
        elif found == "full":
            reason = f"records came from {SOURCES_MAX} partitions of sources already, and not from this."
            self._quarantine("source", reason)
        return found == "new"

    def _hold(self, order: Order, record: Record) -> None:
        state = self.state
        time = state.clock if record.time is UNSET else round(record.time * 1000)
        fault = order.find_fault(time, state.clock)
        if fault is None:
            rank = 0 if record.features is UNSET else 1
            if order.hold(Held(time, rank, *self._where()), state.clock):
                self._alert("order_full", "so many records wait for their time that the earliest wait no longer.")
        elif self.task.late == "quarantine":
            self._quarantine(*fault)
        else:
            self._act(record)

    def _settle(self) -> Iterator[list[Effect]]:
        """Learn what has been collected and release what has waited long enough, others being let in between."""
        yield from self._learn_batch()
        while self.order is not None and (held := self.order.release()) is not None:
            yield self._effects
            self._effects = []
            self._origin = Origin(held.offset, held.row, held.key, held.line)
            record = self.reader.read_record(held.line)
            assert isinstance(record, Record)
            self._act(record)
            self._origin = None
            yield from self._learn_batch()

    # A record is acted upon.

    def _act(self, record: Record) -> None:
        self.state.step += 1
        if self._multiclass and (fault := self._find_label_fault(record)):
            self._quarantine(*fault)
        elif record.label is UNSET:
            self._ask(record)
        elif record.features is UNSET:
            self._answer(record)
        else:
            self._learn_sample(record.features, record.label, None if record.id is UNSET else record.id)

    def _find_label_fault(self, record: Record) -> tuple[str, str] | None:
        """Code and reason if a label is not of the type of the first one, which it may be itself, or is one too many."""
        state = self.state
        if state.label_type is None and record.label is not UNSET:
            state.label_type = type_of(record.label)
        return find_label_fault(record, state.label_type, state.labels if self.task.labels is None else None)

    def _learn_sample(self, features: dict[str, Value], label: Label, name: str | None) -> None:
        """Predict, score, learn; in that order, for every arm."""
        if self.names is not None and (reason := self.names.admit(features)):
            self._quarantine("too_many_names", reason)
            return
        for arm_name, arm in self.state.arms.items():
            prediction = self._predict(arm_name, arm, features)
            self._score(arm_name, arm, prediction, label)
            self._tell_prediction(name, arm_name, prediction, label)
        self._learn(features, label)

    def _ask(self, record: Record) -> None:
        """Freeze the features and what every arm says of them until the label comes."""
        state, name, features = self.state, record.id, record.features
        assert name is not UNSET
        assert features is not UNSET
        found = self.join.find(name, state.step, state.clock)
        if found.met or found.question:
            state.join.duplicates += 1
            self._quarantine(
                "duplicate_id", "there is a question with this id already. Give each one an id of its own."
            )
            return
        predictions: dict[str, Frozen] = {}
        for arm_name, arm in state.arms.items():
            prediction = self._predict(arm_name, arm, features)
            self._tell_prediction(name, arm_name, prediction, None)
            predictions[arm_name] = None if prediction is None else (prediction.value, prediction.probabilities)
        served = None if record.served is UNSET else record.served
        question = Question(state.clock, features, predictions, served)
        if found.label is None:
            if not self.join.ask(name, state.step, question):
                self._refuse_large("question")
        else:
            step, early = found.label
            self.join.meet(name, state.step, Marker(state.clock, question=state.step, label=step), delay=0)
            self._resolve(name, question, early.label, 0)

    def _answer(self, record: Record) -> None:
        """Score the frozen predictions and learn the frozen features; or keep the label until its question comes."""
        state, name, label = self.state, record.id, record.label
        assert name is not UNSET
        assert label is not UNSET
        found = self.join.find(name, state.step, state.clock)
        if found.met or found.label:
            state.join.duplicates += 1
            self._quarantine("duplicate_label", "there is a label for this id already. Send one label a question.")
        elif found.question is None:
            if not self.join.expect(name, state.step, Early(state.clock, label, self._where())):
                self._refuse_large("label")
        else:
            step, question = found.question
            delay = state.clock - question.time
            self.join.meet(name, state.step, Marker(state.clock, question=step, label=state.step), delay)
            self._resolve(name, question, label, delay)

    def _resolve(self, name: str, question: Question, label: Label, delay: int, how: How = "label") -> None:
        """A question has its label: score, then learn."""
        arms = self.state.arms
        for arm_name, frozen in question.predictions.items():
            if arm_name in arms:
                self._score(arm_name, arms[arm_name], frozen and Prediction(*frozen), label)
        told = None if question.served is None else question.served.prediction
        # A question that was asked before the first label may say that it was answered with a label of the other type.
        if told is not None and not (self._multiclass and type_of(told) != type_of(label)):
            self.state.served.update(label, told)
        self._tell_resolved(name, how, label, delay)
        self._learn_question(name, question.features, label)

    def _learn_question(self, name: str, features: dict[str, Value], label: Label) -> None:
        """Learn a question that has its label; where there is no room for its names, both are refused together, as a sample."""
        if self.names is not None and (reason := self.names.admit(features)):
            value = msgspec.json.encode({"id": name, "features": features, "label": label}, enc_hook=plain)
            self._quarantine("too_many_names", reason, value)
        else:
            self._learn(features, label)

    # Time passes.

    def _pass_time(self) -> Iterator[list[Effect]]:
        """All that was due at the clock: records released, entries expired, labels learned; in this order."""
        state, self._effects = self.state, []
        if self.order is not None and (self.order.due_at or math.inf) <= state.clock:
            self.order.wait_no_longer()
        yield from self._settle()
        for name, entry in self.join.expire(state.step + 1, state.clock):
            yield self._effects
            self._effects = []
            if isinstance(entry, Question):
                self._give_up(name, entry)
            else:
                self._origin = Origin(*entry.origin)
                self._quarantine("orphan", "no question with this id came while the label waited.")
                self._origin = None
            yield from self._learn_batch()
        yield self._effects

    def _give_up(self, name: str, question: Question) -> None:
        """No label came: drop the question, or learn from it as the task says."""
        policy, delay = self.task.unanswered, self.state.clock - question.time
        if isinstance(policy, Unanswered):
            if policy.assume is not None:
                self._resolve(name, question, policy.assume, delay, "assumed")
                return
            frozen = question.predictions.get("champion")
            assert policy.self_train is not None
            if frozen is not None and frozen[1] is not None and frozen[1].get(frozen[0], 0.0) >= policy.self_train:
                self._tell_resolved(name, "self_trained", frozen[0], delay)
                self._learn_question(name, question.features, frozen[0])
                return
        self._tell_resolved(name, "expired", None, delay)

    # The arms.

    def _predict(self, name: str, arm: Arm, features: dict[str, Value]) -> Prediction | None:
        prediction = arm.predict(features)
        if prediction is None or is_finite(prediction):
            return prediction
        if not arm.broken:
            arm.broken = True
            at = self._message.offset
            detail = f"arm '{name}' no longer predicts finite numbers at position {at}; it goes unscored."
            self._alert("not_finite", detail)
        return None

    def _score(self, name: str, arm: Arm, prediction: Prediction | None, label: Label) -> None:
        change = arm.score(prediction, label)
        if change is not None:
            self._effects.append(Drift(id=self._id(), arm=name, detector=arm.detector.name, before=change.before,
                                       after=change.after, width_before=change.width_before, width=change.width,
                                       time=self.state.clock / 1000))  # fmt: skip

    def _learn(self, features: dict[str, Value], label: Label) -> None:
        """Learn a label now, or with others when there are enough of them."""
        state = self.state
        state.probes.append(features)
        if self.batch is None:
            for arm in state.arms.values():
                arm.learn(features, label)
            state.updates += 1
        else:
            self.batch.collect(Row(features, label), state.clock)

    def _learn_batch(self) -> Iterator[list[Effect]]:
        """Learn what was collected, if there is enough or it is time, letting others in every so often."""
        batch, state, update = self.batch, self.state, self.task.update
        if batch is None or update is None or not batch.is_due(state.clock):
            return
        if batch.is_overflowing:
            state.batch.overflows += 1
            self._alert("batch_full", f"{batch.limit} labels were collected before it was time to learn them.")
        rows = batch.take()
        if update.gradient == "mean":
            for arm in state.arms.values():
                arm.learn_mean(rows)
            state.updates += len(rows)
            return
        for start in range(0, len(rows), CHUNK):
            for row in rows[start : start + CHUNK]:
                for arm in state.arms.values():
                    arm.learn(row.features, row.label)
                state.updates += 1
            yield self._effects
            self._effects = []

    # What is told.

    def _tell_prediction(self, name: str | None, arm: str, prediction: Prediction | None, label: Label | None) -> None:
        if self.task.predictions:
            self._effects.append(Predicted(id=self._id(), record=name, arm=arm, prediction=prediction, label=label))

    def _tell_resolved(self, name: str, how: How, label: Label | None, delay: int) -> None:
        if self.task.predictions:
            self._effects.append(Resolved(id=self._id(), record=name, how=how, label=label, delay_s=delay / 1000))

    def _alert(self, code: str, detail: str) -> None:
        self._effects.append(Alert(id=self._id(), code=code, detail=detail, time=self.state.clock / 1000))

    def _quarantine(self, code: str, reason: str, value: bytes | None = None) -> None:
        self.state.quarantined += 1
        origin = self._where()
        self._effects.append(
            Quarantined(
                id=self._id(),
                code=code,
                reason=reason,
                offset=origin.offset,
                row=origin.row,
                key=origin.key,
                value=origin.line if value is None else value,
            )
        )

    def _refuse_large(self, kind: str) -> None:
        self._quarantine(
            "too_large", f"the {kind} has more than {ENTRY_MAX >> 10} KiB and cannot wait. Send less in one."
        )

    def _where(self) -> Origin:
        """Where the record at hand is from."""
        message, row = self._message, self._row
        return self._origin or Origin(message.offset, row, message.key, line_of(message, row))

    def _id(self) -> str:
        told, self._told = self._told, self._told + 1
        return f"{self.task.name}/{self.partition}/{self._message.offset}/{self._row}/{told}"


def line_of(message: Message, row: int) -> bytes:
    """The bytes of one row of a message."""
    return (message.value or b"").split(b"\n")[row]

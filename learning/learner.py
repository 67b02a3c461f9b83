"""The learner: folds the event log of one shard into a state, one record after the other."""

import math
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from headrace.learning.arm import Arm
from headrace.learning.batch import Batch, Row
from headrace.learning.commands import COMMANDS
from headrace.learning.effects import Drift, Effect, How, Predicted, Resolved
from headrace.learning.join import ENTRY_MAX, Early, Frozen, Join, Marker, Question, plain
from headrace.learning.labels import find_label_fault, type_of
from headrace.learning.mark import Mark, Marked
from headrace.learning.names import Names, is_bounded
from headrace.learning.order import Held, Order
from headrace.learning.pending import InMemory, Pending
from headrace.learning.prediction import Prediction, is_finite
from headrace.learning.records import Control, Reader, Record, Refused
from headrace.learning.sources import SOURCES_MAX, advance
from headrace.learning.state import State
from headrace.learning.task import Label, Task, Unanswered, Value
from headrace.learning.turn import Origin, Turn

CHUNK = 64
"""Rows of a batch that are learned between two breaths."""


Message = Marked
"""A message of the event log."""


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
        self._shard = f"{task.name}/{partition}"

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
        if message.timestamp > state.clock:  # noqa: PLR1730 half the cost of max(), at every message
            state.clock = message.timestamp
        turn = Turn(self._shard, message, state.clock, state)
        if self.due_at <= state.clock:
            yield from self._pass_time(turn)
        records = self.reader.read(message.value)
        last = len(records) - 1
        for row, record in enumerate(records):
            if row:
                turn.move_to(row)
            self._take(record, turn)
            if self._collects:
                yield from self._settle(turn)
            if row == last:
                state.position = message.offset + 1
                state.last = Mark.of(message)
                self.between_messages = True
            yield turn.take()

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

    def _take(self, record: Record | Control | Refused, turn: Turn) -> None:
        """Act upon a record now, or let it wait until its time has come."""
        if isinstance(record, Refused):
            turn.refuse(record.code, record.reason, record.value)
        elif isinstance(record, Control):
            self._command(record, turn)
        elif record.source is UNSET or self._is_to_be_folded(record.source, turn):
            if self.order is None:
                self._act(record, turn)
            else:
                self._hold(self.order, record, turn)

    def _command(self, control: Control, turn: Turn) -> None:
        command = COMMANDS.get(control.command)
        if command is not None:
            command(control, turn)
        else:
            reason = f"the command '{control.command[:80]}' is not known. See docs/design.md for those that are."
            turn.refuse("control", reason)

    def _is_to_be_folded(self, source: str, turn: Turn) -> bool:
        """Whether this source position is ahead of the last one folded, which it is now."""
        found = advance(self.state.sources, source)
        if found == "known":
            self.state.skipped += 1
        elif found == "full":
            reason = f"records came from {SOURCES_MAX} partitions of sources already, and not from this."
            turn.refuse("source", reason)
        return found == "new"

    def _hold(self, order: Order, record: Record, turn: Turn) -> None:
        state = self.state
        time = state.clock if record.time is UNSET else round(record.time * 1000)
        fault = order.find_fault(time, state.clock)
        if fault is None:
            rank = 0 if record.features is UNSET else 1
            if order.hold(Held(time, rank, *turn.origin), state.clock):
                turn.alert("order_full", "so many records wait for their time that the earliest wait no longer.")
        elif self.task.late == "quarantine":
            turn.refuse(*fault)
        else:
            self._act(record, turn)

    def _settle(self, turn: Turn) -> Iterator[list[Effect]]:
        """Learn what has been collected and release what has waited long enough, others being let in between."""
        yield from self._learn_batch(turn)
        while self.order is not None and (held := self.order.release()) is not None:
            yield turn.take()
            turn.held = Origin(held.offset, held.row, held.key, held.line)
            record = self.reader.read_record(held.line)
            assert isinstance(record, Record)
            self._act(record, turn)
            turn.held = None
            yield from self._learn_batch(turn)

    # A record is acted upon.

    def _act(self, record: Record, turn: Turn) -> None:
        self.state.step += 1
        if self._multiclass and (fault := self._find_label_fault(record)):
            turn.refuse(*fault)
        elif record.label is UNSET:
            self._ask(record, turn)
        elif record.features is UNSET:
            self._answer(record, turn)
        else:
            self._learn_sample(record.features, record.label, None if record.id is UNSET else record.id, turn)

    def _find_label_fault(self, record: Record) -> tuple[str, str] | None:
        """Code and reason if a label is not of the type of the first one, which it may be itself, or is one too many."""
        state = self.state
        if state.label_type is None and record.label is not UNSET:
            state.label_type = type_of(record.label)
        return find_label_fault(record, state.label_type, state.labels if self.task.labels is None else None)

    def _learn_sample(self, features: dict[str, Value], label: Label, name: str | None, turn: Turn) -> None:
        """Predict, score, learn; in that order, for every arm."""
        if self.names is not None and (reason := self.names.admit(features)):
            turn.refuse("too_many_names", reason)
            return
        for arm_name, arm in self.state.arms.items():
            prediction = self._predict(arm_name, arm, features, turn)
            self._score(arm_name, arm, prediction, label, turn)
            self._tell_prediction(name, arm_name, prediction, label, turn)
        self._learn(features, label)

    def _ask(self, record: Record, turn: Turn) -> None:
        """Freeze the features and what every arm says of them until the label comes."""
        state, name, features = self.state, record.id, record.features
        assert name is not UNSET
        assert features is not UNSET
        found = self.join.find(name, state.step, state.clock)
        if found.met or found.question:
            state.join.duplicates += 1
            turn.refuse("duplicate_id", "there is a question with this id already. Give each one an id of its own.")
            return
        predictions: dict[str, Frozen] = {}
        for arm_name, arm in state.arms.items():
            prediction = self._predict(arm_name, arm, features, turn)
            self._tell_prediction(name, arm_name, prediction, None, turn)
            predictions[arm_name] = None if prediction is None else (prediction.value, prediction.probabilities)
        served = None if record.served is UNSET else record.served
        question = Question(state.clock, features, predictions, served)
        if found.label is None:
            if not self.join.ask(name, state.step, question):
                self._refuse_large("question", turn)
        else:
            step, early = found.label
            self.join.meet(name, state.step, Marker(state.clock, question=state.step, label=step), delay=0)
            self._resolve(name, question, early.label, 0, turn)

    def _answer(self, record: Record, turn: Turn) -> None:
        """Score the frozen predictions and learn the frozen features; or keep the label until its question comes."""
        state, name, label = self.state, record.id, record.label
        assert name is not UNSET
        assert label is not UNSET
        found = self.join.find(name, state.step, state.clock)
        if found.met or found.label:
            state.join.duplicates += 1
            turn.refuse("duplicate_label", "there is a label for this id already. Send one label a question.")
        elif found.question is None:
            if not self.join.expect(name, state.step, Early(state.clock, label, turn.origin)):
                self._refuse_large("label", turn)
        else:
            step, question = found.question
            delay = state.clock - question.time
            self.join.meet(name, state.step, Marker(state.clock, question=step, label=state.step), delay)
            self._resolve(name, question, label, delay, turn)

    def _resolve(  # noqa: PLR0917
        self, name: str, question: Question, label: Label, delay: int, turn: Turn, how: How = "label"
    ) -> None:
        """A question has its label: score, then learn."""
        arms = self.state.arms
        for arm_name, frozen in question.predictions.items():
            if arm_name in arms:
                self._score(arm_name, arms[arm_name], frozen and Prediction(*frozen), label, turn)
        told = None if question.served is None else question.served.prediction
        # A question that was asked before the first label may say that it was answered with a label of the other type.
        if told is not None and not (self._multiclass and type_of(told) != type_of(label)):
            self.state.served.update(label, told)
        self._tell_resolved(name, how, label, delay, turn)
        self._learn_question(name, question.features, label, turn)

    def _learn_question(self, name: str, features: dict[str, Value], label: Label, turn: Turn) -> None:
        """Learn a question that has its label; where there is no room for its names, both are refused together, as a sample."""
        if self.names is not None and (reason := self.names.admit(features)):
            value = msgspec.json.encode({"id": name, "features": features, "label": label}, enc_hook=plain)
            turn.refuse("too_many_names", reason, value)
        else:
            self._learn(features, label)

    # Time passes.

    def _pass_time(self, turn: Turn) -> Iterator[list[Effect]]:
        """All that was due at the clock: records released, entries expired, labels learned; in this order."""
        state = self.state
        if self.order is not None and (self.order.due_at or math.inf) <= state.clock:
            self.order.wait_no_longer()
        yield from self._settle(turn)
        for name, entry in self.join.expire(state.step + 1, state.clock):
            yield turn.take()
            if isinstance(entry, Question):
                self._give_up(name, entry, turn)
            else:
                turn.held = Origin(*entry.origin)
                turn.refuse("orphan", "no question with this id came while the label waited.")
                turn.held = None
            yield from self._learn_batch(turn)
        yield turn.take()

    def _give_up(self, name: str, question: Question, turn: Turn) -> None:
        """No label came: drop the question, or learn from it as the task says."""
        policy, delay = self.task.unanswered, self.state.clock - question.time
        if isinstance(policy, Unanswered):
            if policy.assume is not None:
                self._resolve(name, question, policy.assume, delay, turn, "assumed")
                return
            frozen = question.predictions.get("champion")
            assert policy.self_train is not None
            if frozen is not None and frozen[1] is not None and frozen[1].get(frozen[0], 0.0) >= policy.self_train:
                self._tell_resolved(name, "self_trained", frozen[0], delay, turn)
                self._learn_question(name, question.features, frozen[0], turn)
                return
        self._tell_resolved(name, "expired", None, delay, turn)

    # The arms.

    def _predict(self, name: str, arm: Arm, features: dict[str, Value], turn: Turn) -> Prediction | None:
        prediction = arm.predict(features)
        if prediction is None or is_finite(prediction):
            return prediction
        if not arm.broken:
            arm.broken = True
            at = turn.message.offset
            detail = f"arm '{name}' no longer predicts finite numbers at position {at}; it goes unscored."
            turn.alert("not_finite", detail)
        return None

    def _score(self, name: str, arm: Arm, prediction: Prediction | None, label: Label, turn: Turn) -> None:
        change = arm.score(prediction, label)
        if change is not None:
            turn.emit(Drift(id=turn.next_id(), arm=name, detector=arm.detector.name, before=change.before,
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

    def _learn_batch(self, turn: Turn) -> Iterator[list[Effect]]:
        """Learn what was collected, if there is enough or it is time, letting others in every so often."""
        batch, state, update = self.batch, self.state, self.task.update
        if batch is None or update is None or not batch.is_due(state.clock):
            return
        if batch.is_overflowing:
            state.batch.overflows += 1
            turn.alert("batch_full", f"{batch.limit} labels were collected before it was time to learn them.")
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
            yield turn.take()

    # What is told.

    def _tell_prediction(
        self, name: str | None, arm: str, prediction: Prediction | None, label: Label | None, turn: Turn
    ) -> None:
        if self.task.predictions:
            turn.emit(Predicted(id=turn.next_id(), record=name, arm=arm, prediction=prediction, label=label))

    def _tell_resolved(self, name: str, how: How, label: Label | None, delay: int, turn: Turn) -> None:
        if self.task.predictions:
            turn.emit(Resolved(id=turn.next_id(), record=name, how=how, label=label, delay_s=delay / 1000))

    def _refuse_large(self, kind: str, turn: Turn) -> None:
        turn.refuse("too_large", f"the {kind} has more than {ENTRY_MAX >> 10} KiB and cannot wait. Send less in one.")

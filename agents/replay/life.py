"""The life of a prediction: what was asked and served, why, what its label was, and what was learned from it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from headrace.agents.replay.replay import Replay, ReplayError
from headrace.learning.arms import Arm
from headrace.learning.effects import Effect, Quarantined, Resolved, ResolvedBy
from headrace.learning.encoding import decode, encode
from headrace.learning.errors import RecordError
from headrace.learning.explain import Explanation, explain
from headrace.learning.records import Record
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.task import Label, Value
from headrace.tables.kafka.log import EventLog


class Trace(NamedTuple):
    """A record of an id in the event log: where it stands, the time of its message in milliseconds, and what it is."""

    partition: int
    offset: int
    row: int
    time: int
    kind: Literal["sample", "question", "label"]
    record: dict[str, Any]


class Look(msgspec.Struct, frozen=True):
    """What an arm says of the features in one state.

    Parameters
    ----------
    position
        Of the state: the offset of the message that it meets next, or is folding.
    arm, model
        Which arm, and what its model is called.
    version, updates
        The version that the model comes from, and the labels that it has learned, those of the version included.
    prediction, probabilities, score
        What it says; None while it is cold. Only an anomaly task has a score.
    why
        How the model comes to it; None if its class cannot be explained.
    """

    position: int
    arm: str
    model: str
    version: str | None
    updates: int
    prediction: Label | None
    probabilities: dict[str, float] | None
    why: Explanation | None
    score: float | UnsetType = UNSET


class Served(msgspec.Struct, frozen=True):
    """What a user was served: the answer as the log has it, and what the state of that position says when it is rebuilt."""

    arm: str
    prediction: Label | None
    position: int
    rebuilt: Look | None


class Answer(msgspec.Struct, frozen=True):
    """How a question ended: by a label, or without one; the seconds of log time that it took, and where the label stands, if it came."""

    how: ResolvedBy
    label: Label | None
    delay_s: float
    position: int | None


class Learned(msgspec.Struct, frozen=True):
    """What the champion has learned from the record, with its label unless the task learns without: its answer to the same features right before and right after it.

    Before and after are the same if the labels are collected, and learned together later (`update`).
    """

    label: Label | None
    before: Look
    after: Look


class Refusal(msgspec.Struct, frozen=True):
    """A record of the id that was refused."""

    position: int
    row: int
    code: str
    reason: str


class Life(msgspec.Struct, frozen=True):
    """The life of a prediction.

    Parameters
    ----------
    id, kind, partition
        What was asked for, and in which shard it was found.
    position, row, time
        Where it stands, and the Kafka timestamp of its message in seconds.
    event_time
        Its own `time`, if it has one.
    features
        Its features.
    served
        What a user was served, if the question came through the prediction endpoint.
    scored
        What each arm predicted when the record was folded, before its label was learned: the prediction that counts in the metrics.
    state
        `waiting` for its label, or `ended`; `refused` where it was never folded.
    answer, learned
        How it ended, and what was learned from it.
    refusals
        Records of this id that were refused.
    elsewhere
        Partitions that have records of this id as well. A label in another shard than its question does not reach it.
    """

    id: str
    kind: Literal["sample", "question"]
    partition: int
    position: int
    row: int
    time: float
    event_time: float | None
    features: dict[str, Value]
    served: Served | None
    scored: list[Look]
    state: Literal["waiting", "ended", "refused"]
    answer: Answer | None
    learned: Learned | None
    refusals: list[Refusal]
    elsewhere: list[int]


async def find_traces(log: EventLog, partition: int, wanted: str) -> AsyncIterator[Trace]:
    """Yield the records of an id in one partition, in their order. Raises LogError if retention has removed the beginning."""
    end = (await log.ends([partition]))[partition]
    async with aclosing(log.read(partition, 0, end)) as messages:
        async for message in messages:
            for trace in traces_in(message, partition, wanted):
                yield trace


def traces_in(message: KafkaMessage, partition: int, wanted: str) -> Iterator[Trace]:
    """Yield the records of an id in one message."""
    value = message.value or b""
    needle = msgspec.json.encode(wanted)[1:-1]
    if needle not in value and b"\\" not in value:  # JSON may write any character as an escape
        return
    for row, line in enumerate(value.split(b"\n")):
        record = _read(line)
        if record is not None and record.get("id") == wanted and (kind := _kind(record)) is not None:
            yield Trace(partition, message.offset, row, message.timestamp, kind, record)


class LifeFold:
    """Folds the log of one shard past a record, and sees what becomes of it.

    Its `observe` must see the effects of the replay that it follows, whose task must publish its predictions.

    Parameters
    ----------
    traces
        The records of the id in this shard, in their order.

    Raises
    ------
    ReplayError
        There are labels of the id alone.
    """

    def __init__(self, traces: list[Trace]):
        self.asked = next((trace for trace in traces if trace.kind != "label"), traces[0])
        if self.asked.kind == "label":
            raise ReplayError(
                f"the log has a label of '{self.asked.record['id']}' at {self.asked.partition}/{self.asked.offset}, but no question.",
                "Its question may be in another shard, or was never sent.",
            )
        self.traces, self.id = traces, self.asked.record["id"]
        self.scored: list[Look] = []
        self.answer: Answer | None = None
        self.learned: Learned | None = None
        self.refusals: list[Refusal] = []
        self._features: dict[str, Value] | None = None
        self._places = {(trace.offset, trace.row) for trace in traces}
        self._replay: Replay | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more can become of the record."""
        if self.asked.kind == "sample":
            return bool(self.scored) or (self.asked.offset, self.asked.row) in self._refused
        return self.answer is not None

    @property
    def _refused(self) -> set[tuple[int, int]]:
        return {(one.position, one.row) for one in self.refusals}

    def observe(self, effects: list[Effect]) -> None:
        """See the effects of the fold."""
        for effect in effects:
            if isinstance(effect, Quarantined) and (effect.offset, effect.row) in self._places:
                self.refusals.append(Refusal(effect.offset, effect.row, effect.code, effect.reason))
            elif isinstance(effect, Resolved) and effect.record == self.id and self.scored and self.answer is None:
                place = int(effect.id.split("/")[2]) if effect.how == "label" else None
                self.answer = Answer(effect.how, effect.label, effect.delay_s, place)

    async def follow(self, replay: Replay) -> Life:
        """Fold up to where the record was served, to where it stands, and on to its end.

        Raises
        ------
        HeadraceError
            The log cannot be folded.
        """
        self._replay, asked = replay, self.asked
        served = await self._rebuild_served(replay)
        replay.learner.watcher = self._watch
        await replay.to(await replay.end(), until=lambda: self.has_ended)
        state: Literal["waiting", "ended", "refused"] = "ended" if self.has_ended else "waiting"
        if not self.scored and (asked.offset, asked.row) in self._refused:
            state = "refused"
        return Life(
            id=self.id,
            kind="sample" if asked.kind == "sample" else "question",
            partition=asked.partition,
            position=asked.offset,
            row=asked.row,
            time=asked.time / 1000,
            event_time=asked.record.get("time"),
            features=asked.record["features"],
            served=served,
            scored=self.scored,
            state=state,
            answer=self.answer,
            learned=self.learned,
            refusals=self.refusals,
            elsewhere=[],
        )

    async def _rebuild_served(self, replay: Replay) -> Served | None:
        """Fold up to the position from which the question was answered, and ask that state again."""
        try:
            record = replay.learner.reader.read_record(msgspec.json.encode(self.asked.record))
        except RecordError:
            return None  # the fold refuses it, and says why
        if not isinstance(record, Record) or record.served is UNSET or record.features is UNSET:
            return None
        served, rebuilt = record.served, None
        if served.position <= self.asked.offset and await replay.to(served.position) is None:
            rebuilt = self._look(served.arm, record.features)
        return Served(served.arm, served.prediction, served.position, rebuilt)

    @contextmanager
    def _watch(self, record: Record) -> Iterator[None]:
        if record.id is UNSET or record.id != self.id or self.has_ended:
            yield
            return
        if record.features is not UNSET and self._features is None:
            self._features = record.features
            assert self._replay is not None
            looks = [self._look(name, record.features) for name in self._replay.learner.state.arms]
            self.scored = [look for look in looks if look is not None]
        features, updates = self._features, self._updates
        before = None if features is None else self._look("champion", features)
        yield
        if features is None or before is None or self.learned is not None:
            return
        if self._updates > updates and (after := self._look("champion", features)) is not None:
            assert self._replay is not None
            label = None if self._replay.learner.is_unlabelled else self._label(record)
            self.learned = Learned(label, before, after)

    @property
    def _updates(self) -> int:
        assert self._replay is not None
        return self._replay.learner.champion.updates

    def _label(self, record: Record) -> Label:
        """The label of a record, or the one that came before it."""
        if record.label is not UNSET:
            return record.label
        label: Label = next(trace.record["label"] for trace in self.traces if trace.kind == "label")
        return label

    def _look(self, name: str, features: dict[str, Value]) -> Look | None:
        """Ask a copy of an arm as the state is: a user's own model may change when it is asked. None if there is no such arm."""
        assert self._replay is not None
        learner, state = self._replay.learner, self._replay.learner.state
        if name not in state.arms:
            return None
        arm: Arm = decode(encode(state.arms[name]), (*self._replay.modules, *learner.task.modules))
        prediction = arm.predict(features)
        said = prediction.to_json() if prediction else {"prediction": None, "probabilities": None}
        why = None if prediction is None else explain(arm.model, features)
        return Look(state.position, name, arm.model_name, arm.version, arm.updates, **said, why=why)


def _kind(record: dict[str, Any]) -> Literal["sample", "question", "label"] | None:
    if not isinstance(record.get("features", {}), dict):
        return None
    if "features" in record:
        return "sample" if "label" in record else "question"
    return "label" if "label" in record else None


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        record = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return record if isinstance(record, dict) else None

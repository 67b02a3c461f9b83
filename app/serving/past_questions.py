"""Finds a logged question by its id: in the pending table of its shard, here or at the owner, and in the event log near its time."""

import asyncio
import shlex
from collections.abc import Sequence
from contextlib import aclosing
from typing import Literal, NamedTuple
from urllib.parse import quote

import msgspec
import structlog
from aiokafka.errors import KafkaError

from headrace.agents.replay.life import Trace, traces_in
from headrace.app.answers import ArmAnswer, AskedQuestion, ServedAnswer
from headrace.app.caller import Caller
from headrace.app.serving.owners import Owners
from headrace.app.serving.refused import RequestRefused
from headrace.app.serving.served_task import ServedTask
from headrace.learning.fold.learner import Learner
from headrace.learning.plain import plain_error
from headrace.learning.prediction import Prediction
from headrace.learning.task import Value
from headrace.learning.task.duration import shorten
from headrace.learning.waiting.join import EarlyLabel, FrozenPrediction, Marker, WaitingQuestion
from headrace.tables.kafka.moment import read_moment

log = structlog.get_logger()

MESSAGES_MAX = 2_000
"""The most messages of one log time that are searched for a record."""

READ_SECONDS = 5.0
"""How long the search in the log may take. The answer is then without what it would have found."""


class Kept(NamedTuple):
    """What a shard keeps of an id: the question, its label if that came first, and the marker that the two have met."""

    question: WaitingQuestion | None
    label: EarlyLabel | None
    met: Marker | None

    @property
    def asked_at(self) -> int | None:
        """The log time of the question, in milliseconds; None if there is no question."""
        if self.question is not None:
            return self.question.time
        return self.met.time if self.met is not None and self.label is not None else None


class PastQuestions:
    """Finds logged questions of a task.

    Parameters
    ----------
    owners
        Ask the owner of a shard that another worker owns.
    served
        The task.
    """

    def __init__(self, owners: Owners, served: ServedTask):
        self.owners, self.served = owners, served

    async def find(self, record_id: str, partitions: Sequence[int], caller: Caller) -> AskedQuestion | msgspec.Raw:
        """Find a question in one of some shards.

        Raises
        ------
        RequestRefused
            `unknown` if no shard keeps the question; `unavailable` if it is in none of those that answer, and another does not answer.
        """
        refused: RequestRefused | None = None
        for partition in partitions:
            try:
                found = await self._look(record_id, partition, caller)
            except RequestRefused as error:
                refused = refused or error
                continue
            if found is not None:
                return found
        if refused is not None:
            raise refused
        task = self.served.reader.task
        what = (
            f"no question '{record_id[:80]}' is kept. A shard keeps a logged question for {shorten(task.wait_ms / 1000)} (`wait`) of log time, answered or "
            "not, and no samples."
        )
        remedy = f"Check the id and the key, or read the whole log: headrace explain {task.name} {shlex.quote(record_id[:80])}"
        raise RequestRefused("unknown", "unknown_id", what, remedy)

    async def _look(self, record_id: str, partition: int, caller: Caller) -> AskedQuestion | msgspec.Raw | None:
        task = self.served.task
        owned = self.served.shards.owned.get(partition)
        if owned is None:
            path = f"/v1/{task.name}/predictions/{quote(record_id, safe='').replace('.', '%2E')}?partition={partition}"
            return await self.owners.look_up(task, partition, path, caller)
        if owned.learner is None:
            what = f"shard {partition} of task '{task.name}' is being opened."
            raise RequestRefused("unavailable", "opening", what, "Ask again in a second.", retry=True)
        learner = owned.learner
        try:
            kept = kept_of(learner, record_id)
        except Exception as error:
            log.debug("cannot look up a question", task=task.name, error=plain_error(error))
            what = f"the database of shard {partition} of task '{task.name}' is being opened again."
            raise RequestRefused("unavailable", "opening", what, "Ask again in a second.", retry=True) from error
        return await self._describe(learner, record_id, kept)

    async def _describe(self, learner: Learner, record_id: str, kept: Kept) -> AskedQuestion | None:
        """Describe what is kept of an id, with what the event log has near; None if no question is kept."""
        question, early, met, partition = *kept, learner.partition
        time, first, wait = kept.asked_at, question or early, learner.task.wait_ms
        if time is None or first is None:
            return None
        is_forgotten = learner.state.is_forgotten(record_id, first.time)
        asked = await self._find_trace(partition, time, record_id, "question")
        if question is None and asked is None:
            return None
        label = early.label if early else None
        if question is not None and met is not None:
            answered = await self._find_trace(partition, met.time, record_id, "label")
            label = answered.record["label"] if answered else None
        how: Literal["label", "forgotten"] | None = None if met is None else "forgotten" if is_forgotten else "label"
        served = question.served if question else None
        features: dict[str, Value] = question.features if question else asked.record["features"] if asked else {}
        return AskedQuestion(
            id=record_id,
            partition=partition,
            position=asked.offset if asked else None,
            time=time / 1000,
            features=features,
            arms={name: arm_answer(frozen) for name, frozen in question.predictions.items()} if question else {},
            served=None if served is None else ServedAnswer(served.arm, served.prediction, served.position),
            state="waiting" if met is None else "answered",
            label=label,
            how=how,
            delay_s=None if met is None else (met.time - time) / 1000,
            kept_until=(time + wait) / 1000,
        )

    async def _find_trace(
        self, partition: int, time: int, record_id: str, kind: Literal["question", "label"]
    ) -> Trace | None:
        """Find the record of an id in the event log that was folded at a log time; None if it is not found there in time."""
        log_of = self.served.task.events
        try:
            async with (
                asyncio.timeout(READ_SECONDS),
                aclosing(read_moment(self.owners.members.brokers, log_of, partition, time, MESSAGES_MAX)) as messages,
            ):
                async for message in messages:
                    for trace in traces_in(message, partition, record_id):
                        if trace.kind == kind:
                            return trace
        except (KafkaError, OSError) as error:
            log.debug("cannot search the log for a question", task=self.served.task.name, error=plain_error(error))
        return None


def kept_of(learner: Learner, record_id: str) -> Kept:
    """Return what a shard keeps of an id; of an id that was used again, the last use."""
    question: WaitingQuestion | None = None
    label: EarlyLabel | None = None
    met: Marker | None = None
    state = learner.state
    for _, content in learner.join.counting(record_id, state.step + 1, state.clock):
        if isinstance(content, Marker):
            met = content
        elif isinstance(content, WaitingQuestion):
            question = content
        else:
            label = content
    return Kept(question, label, met)


def arm_answer(frozen: FrozenPrediction) -> ArmAnswer:
    """Convert a frozen prediction to what HTTP answers.

    Examples
    --------
    >>> arm_answer((True, {True: 0.75, False: 0.25}))
    ArmAnswer(prediction=True, probabilities={'true': 0.75, 'false': 0.25}, score=UNSET)
    >>> arm_answer(None)
    ArmAnswer(prediction=None, probabilities=None, score=UNSET)
    """
    return ArmAnswer(None, None) if frozen is None else ArmAnswer(**Prediction.thaw(frozen).to_json())

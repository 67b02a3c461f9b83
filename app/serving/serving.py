"""Answers questions: from the models of this worker, or by asking the owner of a shard where only that will do."""

import asyncio
import itertools
import secrets
from collections.abc import Collection, Sequence
from functools import partial

import msgspec
from msgspec import UNSET

from headrace.agents.learn import LearningApp
from headrace.agents.shards import Model
from headrace.app.peers import Peers
from headrace.app.problems import ProblemCode
from headrace.app.serving.logged import Name, refuse_large
from headrace.app.serving.owners import Owners
from headrace.app.serving.question import Asked, Question, shard_key
from headrace.app.serving.refused import RequestRefused
from headrace.app.serving.request_appender import RequestAppender
from headrace.app.serving.served_task import ServedTask
from headrace.app.serving.size_limit import ANSWERS_MAX, SizeLimit
from headrace.app.settings import Settings
from headrace.learning.prediction import is_finite
from headrace.learning.task import Json
from headrace.tables.kafka.members import Members
from headrace.tables.kafka.partitioner import partition_of

LASTING: tuple[ProblemCode, ...] = ("model", "not_finite")
"""Refusals of an owner that another model of the same shard would not be spared."""

WAIT_SECONDS = 2.0
"""How long a question waits for a position, or for a first model, unless it says so itself."""

Answered = dict[str, Json] | msgspec.Raw
"""An answer: of a model here, or as another worker has written it."""


class Serving:
    """Answers for the tasks of a worker.

    Parameters
    ----------
    app
        Holds the shards.
    settings
        Names broker and tasks.
    impure
        The tasks whose models change when they are asked; they are asked by way of a copy.
    """

    def __init__(self, app: LearningApp, settings: Settings, impure: Collection[str] = frozenset()):
        self.tasks: dict[str, ServedTask] = {}
        for task in settings.tasks.values():
            shards, enricher = app.learning[task.events], app.enrichers.get(task.name)
            self.tasks[task.name] = ServedTask(task, shards, enricher, is_pure=task.name not in impure)
        self.owners = Owners(
            Members(settings.brokers, app.conf.id),
            settings.address,
            settings.access().tls,
            peers=Peers(settings.address, settings.worker.peers),
            proofs=settings.proofs(),
            has_keys=len(settings.keys()) > 0,
        )
        self.appender = RequestAppender(settings.brokers)
        self._ids = map(f"{secrets.token_hex(6)}-{{:x}}".format, itertools.count())

    def task(self, name: str) -> ServedTask:
        """Return the task of this name; RequestRefused, which names those there are, if there is none."""
        try:
            return self.tasks[name]
        except KeyError:
            known = ", ".join(sorted(self.tasks))
            what = f"there is no task '{name[:80]}'."
            raise RequestRefused("unknown", "unknown_task", what, f"Tasks here: {known}.") from None

    async def answer(self, served: ServedTask, questions: Sequence[Question], asked: Asked) -> list[Answered]:
        """Answer by the models of the questions' shards as they are now; RequestRefused for the first question that cannot be answered."""
        await served.enrich(questions)
        if not any([question.log for question in questions]):  # noqa: C419 a generator takes twice as long for one question
            return await self._answer(served, questions, asked)
        with served.under_way.claimed([] if asked.caller.again else served.names(questions)):
            answers = await self._answer(served, questions, asked)
            await self._log(served, questions, answers)
        return answers

    async def stop(self) -> None:
        """Close the connections."""
        await self.owners.stop()
        await self.appender.stop()

    async def _answer(self, served: ServedTask, questions: Sequence[Question], asked: Asked) -> list[Answered]:
        answers: list[Answered] = [msgspec.Raw()] * len(questions)  # each is replaced
        size = SizeLimit(ANSWERS_MAX)
        elsewhere: dict[int, list[int]] = {}
        for number, question in enumerate(questions):
            if question.id is UNSET:
                question.id = next(self._ids)
            partition = served.partition(question)
            model = served.shards.answering(partition)
            if model is not None and suffices(model, question, asked):
                answers[number] = size.take(answer_from(served, model, question))
            else:
                elsewhere.setdefault(partition, []).append(number)
        if elsewhere:
            of_shards = await asyncio.gather(
                *(
                    self._wait_or_forward(served, partition, [questions[number] for number in numbers], asked, size)
                    for partition, numbers in elsewhere.items()
                )
            )
            for numbers, of_shard in zip(elsewhere.values(), of_shards, strict=True):
                for number, answer in zip(numbers, of_shard, strict=True):
                    answers[number] = answer
        return answers

    async def _wait_or_forward(
        self, served: ServedTask, partition: int, questions: list[Question], asked: Asked, size: SizeLimit
    ) -> list[Answered]:
        """Answer questions of one shard for which there is no model here, or none that suffices.

        A worker that does not own the shard asks the owner at once, rather than wait for a snapshot. Where a fresh answer was not
        asked for and the owner cannot give one, it waits all the same: it may be about to own the shard itself.
        """
        loop, shards, task = asyncio.get_running_loop(), served.shards, served.task.name
        seconds = max(WAIT_SECONDS if question.wait_s is UNSET else question.wait_s for question in questions)
        until = loop.time() + seconds
        owned = shards.owned.get(partition)
        if owned is None:
            try:
                forwarded = await self.owners.ask(served.task, partition, questions, asked, seconds)
                return [size.take(answer) for answer in forwarded]
            except RequestRefused as refused:
                if asked.fresh or refused.kind != "unavailable" or refused.code in LASTING:
                    raise
        elif owned.status == "stopped" and (asked.fresh or owned.learner is None):
            what = f"shard {partition} of task '{task}' is stopped: {owned.error}"
            raise RequestRefused("unavailable", "stopped", what, "See GET /v1/{task}.")
        model = await served.arrivals.wait(
            partition,
            lambda model: all(suffices(model, question, asked) for question in questions),
            until - loop.time(),
        )
        if model is None:
            raise _not_yet(served, partition, seconds)
        return [size.take(answer_from(served, model, question)) for question in questions]

    async def _log(self, served: ServedTask, questions: Sequence[Question], answers: Sequence[Answered]) -> None:
        """Append questions with what was answered; each answer says under `logged` where it is, or whether it is on its way."""
        task, under_way = served.task, served.under_way
        durable: list[tuple[Name, dict[str, Json]]] = []
        rows: list[tuple[str | None, bytes]] = []
        for question, answer in zip(questions, answers, strict=True):
            if not question.log or not isinstance(answer, dict):
                continue  # what another worker has answered, it has logged
            parts = {name: answer[name] for name in ("arm", "prediction", "position")}
            record = msgspec.json.encode({"id": question.id, "features": question.features, "served": parts})
            key = shard_key(question)
            name = partition_of(key, task.partitions), answer["id"]
            if question.log == "async":
                under_way.sending(name)
                answer["logged"] = self.appender.append_later(task, key, record, partial(under_way.sent, name))
            else:
                durable.append((name, answer))
                rows.append((key, record))
        if rows:
            for (name, answer), at in zip(durable, await self.appender.append(task, rows), strict=True):
                answer["logged"] = at
                under_way.sent(name, at.offset)


def suffices(model: Model, question: Question, asked: Asked) -> bool:
    """Whether a model may answer a question."""
    if asked.fresh and model.status != "live":
        return False
    return question.min_position is UNSET or model.position >= question.min_position


def answer_from(served: ServedTask, model: Model, question: Question) -> dict[str, Json]:
    """Answer a question by a model of this worker; RequestRefused or RecordError if that cannot be."""
    learner, lag = model.learner, 0.0
    assert learner is not None
    served.reader.schema.check(question.features)
    if not served.is_pure:
        served_copy = served.copies[model.partition]
        learner = served_copy.of(learner, 0 if question.min_position is UNSET else question.min_position)
        lag = served_copy.age
    prediction = served.predict(learner.champion, question)
    if prediction is not None and not is_finite(prediction):
        what = "the model no longer predicts finite numbers."
        raise RequestRefused("unavailable", "not_finite", what, 'See "The model runs away" in docs/how-to/models.md.')
    if question.log:
        refuse_large(learner, question.features, prediction)
    values = {"prediction": None, "probabilities": None} if prediction is None else prediction.to_json()
    return {
        "id": question.id,
        **values,
        "arm": "champion",
        "version": learner.champion.version,
        "position": learner.state.position,
        "staleness_s": round(model.staleness + lag, 3),
    }


def _not_yet(served: ServedTask, partition: int, seconds: float) -> RequestRefused:
    model, which = served.shards.answering(partition), f"shard {partition} of task '{served.task.name}'"
    if model is None:
        what = f"{which} is being opened."
        return RequestRefused("unavailable", "opening", what, "Ask again in a second.", retry=True)
    what = f"after {seconds:g} s {which} is at position {model.position} here, {model.status}."
    remedy = "Ask again, with a longer wait_s (up to 10), or for an earlier position."
    return RequestRefused("conflict", "not_yet", what, remedy, retry=True)

"""Answers questions from the models of this worker, or asks the owner of a shard if no model here suffices."""

import asyncio
import itertools
import secrets
from collections.abc import Collection, Sequence
from functools import partial
from time import perf_counter

import msgspec
from msgspec import UNSET

from headrace.agents.learn import LearningApp
from headrace.agents.shards import Model
from headrace.app.peers import Peers
from headrace.app.problems import ProblemCode
from headrace.app.serving.logged import QuestionId, refuse_large
from headrace.app.serving.now import run_now
from headrace.app.serving.owners import Owners
from headrace.app.serving.question import Asked, Question, shard_key
from headrace.app.serving.refused import RequestRefused
from headrace.app.serving.request_appender import RequestAppender
from headrace.app.serving.served_task import Answered, ServedTask
from headrace.app.serving.size_limit import ANSWERS_MAX, SizeLimit, largest
from headrace.app.settings import Settings
from headrace.learning.arms import Arm
from headrace.learning.errors import HeadraceError
from headrace.learning.prediction import Prediction, is_finite
from headrace.learning.task import CHAMPION, Json
from headrace.tables.kafka.members import Members
from headrace.tables.kafka.partitioner import partition_of

LASTING: tuple[ProblemCode, ...] = ("model", "not_finite")
"""Codes of an owner's refusals that every model of the shard would give."""

WAIT_SECONDS = 2.0
"""How long a question without `wait_s` waits for a position or for a first model."""


class Serving:
    """Answers the questions to all tasks of a worker.

    Parameters
    ----------
    app
        Holds the shards.
    settings
        Name the broker and the tasks.
    impure
        The tasks whose models change when they predict; a copy of the model predicts for them.
    """

    def __init__(self, app: LearningApp, settings: Settings, impure: Collection[str] = frozenset()):
        self.tasks: dict[str, ServedTask] = {}
        self.brokers = settings.brokers
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
        """Return the task of this name; RequestRefused, which lists the known tasks, if there is none."""
        try:
            return self.tasks[name]
        except KeyError:
            known = ", ".join(sorted(self.tasks))
            what = f"there is no task '{name[:80]}'."
            raise RequestRefused("unknown", "unknown_task", what, f"Tasks here: {known}.") from None

    def answer_now(
        self, served: ServedTask, questions: Sequence[Question], models: Sequence[Model], asked: Asked
    ) -> Sequence[Answered]:
        """Answer questions as `answer` does, at once, with the models that `models_at_hand` has just returned for them."""
        if served.enricher is not None or any([question.log for question in questions]):  # noqa: C419 as below
            return run_now(self.answer(served, questions, asked))
        started, size = perf_counter(), None
        answers: list[Answered] = []
        try:
            for question, model in zip(questions, models, strict=True):
                if question.id is UNSET:
                    question.id = next(self._ids)
                answer = answer_from(served, model, question)
                if size is not None or len(questions) > 1 or largest(answer) > ANSWERS_MAX:
                    size = size or SizeLimit(ANSWERS_MAX)
                    size.take(answer)
                answers.append(answer)
        except HeadraceError as error:
            served.telemetry.refused[error.code] += len(questions)
            raise
        served.note(answers, perf_counter() - started)
        return answers

    async def answer(self, served: ServedTask, questions: Sequence[Question], asked: Asked) -> list[Answered]:
        """Answer questions with the models of their shards; RequestRefused for the first question that cannot be answered."""
        started = perf_counter()
        try:
            if served.enricher is not None:
                await served.enrich(questions, served.enricher)
            if not any([question.log for question in questions]):  # noqa: C419 a generator takes twice as long for one question
                answers = await self._answer(served, questions, asked)
            else:
                with served.under_way.claimed([] if asked.caller.again else served.question_ids(questions)):
                    answers = await self._answer(served, questions, asked)
                    await self._log(served, questions, answers)
        except HeadraceError as error:
            served.telemetry.refused[error.code] += len(questions)
            raise
        served.note(answers, perf_counter() - started)
        return answers

    async def stop(self) -> None:
        """Close the connections to the broker and to other workers."""
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
        """Answer questions of one shard for which this worker has no model that suffices.

        A worker that does not own the shard asks the owner at once and does not wait for a snapshot. If the owner cannot answer and no
        fresh answer was asked for, the worker waits for a model of its own: it may be about to own the shard.
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
        """Append questions with their answers. `logged` of each answer gives the position in the log, or whether the question is on its way."""
        task, under_way = served.task, served.under_way
        durable: list[tuple[QuestionId, dict[str, Json]]] = []
        rows: list[tuple[str | None, bytes]] = []
        for question, answer in zip(questions, answers, strict=True):
            if not question.log or not isinstance(answer, dict):
                continue  # the worker that answered the question has logged it
            parts = {name: answer[name] for name in ("arm", "prediction", "position")}
            record = msgspec.json.encode({"id": question.id, "features": question.features, "served": parts})
            key = shard_key(question)
            question_id = partition_of(key, task.partitions), answer["id"]
            if question.log == "async":
                under_way.sending(question_id)
                answer["logged"] = self.appender.append_later(task, key, record, partial(under_way.sent, question_id))
            else:
                durable.append((question_id, answer))
                rows.append((key, record))
        if rows:
            for (question_id, answer), at in zip(durable, await self.appender.append(task, rows), strict=True):
                answer["logged"] = at
                under_way.sent(question_id, at.offset)


def models_at_hand(served: ServedTask, questions: Sequence[Question], asked: Asked) -> list[Model] | None:
    """Return the model that answers each question; None if one has to wait for a model, a store or the broker, or surely is refused."""
    if served.enricher is not None and not served.enricher.store.is_immediate:
        return None
    models: list[Model] = []
    for question in questions:
        if question.log is not False and question.log != "async":
            return None
        if served.task.partitions == 1:
            partition = 0
        elif question.min_position is not UNSET or (question.log and question.id is UNSET and question.key is UNSET):
            return None  # its shard depends on the id that it is given, or it has none
        else:
            partition = served.partition(question)
        model = served.shards.answering(partition)
        if model is None or not suffices(model, question, asked):
            return None
        models.append(model)
    return models


def suffices(model: Model, question: Question, asked: Asked) -> bool:
    """Say whether a model may answer a question: it is live if asked `fresh`, and has reached `min_position`."""
    if asked.fresh and model.status != "live":
        return False
    return question.min_position is UNSET or model.position >= question.min_position


def answer_from(served: ServedTask, model: Model, question: Question) -> dict[str, Json]:
    """Answer a question with a model of this worker; RequestRefused or RecordError if the question cannot be answered."""
    learner, lag = model.learner, 0.0
    assert learner is not None
    learner.reader.schema.check(question.features)
    arms = learner.state.arms
    name = learner.state.traffic.choose(shard_key(question)) if learner.state.traffic.shares else CHAMPION
    other = None if name == CHAMPION else arms.get(name)
    if not served.stays(arms[CHAMPION]) or (other is not None and not served.stays(other)):
        served_copy = served.copies[model.partition]
        learner = served_copy.of(learner, 0 if question.min_position is UNSET else question.min_position)
        arms, lag = learner.state.arms, served_copy.age
    prediction = None if other is None else _ask_other(served, arms[name], question)
    if prediction is None:
        name, prediction = CHAMPION, served.predict(arms[CHAMPION], question)
    if prediction is not None and not is_finite(prediction):
        what = "the model no longer predicts finite numbers."
        raise RequestRefused("unavailable", "not_finite", what, 'See "The model runs away" in docs/how-to/models.md.')
    if question.log:
        refuse_large(learner, question.features, prediction)
    if prediction is not None:
        values = prediction.to_json()
    else:
        values = {"prediction": None, "probabilities": None} | (
            {"score": None} if served.task.kind == "anomaly" else {}
        )
    return {
        "id": question.id,
        **values,
        "arm": name,
        "version": arms[name].version,
        "position": learner.state.position,
        "staleness_s": round(model.staleness + lag, 3),
    }


def _ask_other(served: ServedTask, arm: Arm, question: Question) -> Prediction | None:
    """Predict with an arm that has some of the traffic; None where the champion has to answer for it, since it is cold or fails."""
    try:
        prediction = served.predict(arm, question)
    except RequestRefused:  # its model has failed, which is in the log
        return None
    return prediction if prediction is not None and is_finite(prediction) else None


def _not_yet(served: ServedTask, partition: int, seconds: float) -> RequestRefused:
    model, which = served.shards.answering(partition), f"shard {partition} of task '{served.task.name}'"
    if model is None:
        what = f"{which} is being opened."
        return RequestRefused("unavailable", "opening", what, "Ask again in a second.", retry=True)
    what = f"after {seconds:g} s {which} is at position {model.position} here, {model.status}."
    remedy = "Ask again, with a longer wait_s (up to 10), or for an earlier position."
    return RequestRefused("conflict", "not_yet", what, remedy, retry=True)

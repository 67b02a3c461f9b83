"""What the views answer from: the models of this worker, or the owner of a shard where only that will do."""

import asyncio
import itertools
import secrets
from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import partial
from time import monotonic
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import structlog
from aiohttp import web
from faust.web import View
from msgspec import UNSET, Meta, UnsetType

from headrace.agents.arrivals import Arrivals
from headrace.agents.learn import LearningApp
from headrace.agents.shards import Model, Shards
from headrace.app.contract import METHODS, TaskFeatures
from headrace.app.errors import Problem
from headrace.app.peers import Peers
from headrace.app.problems import ProblemCode
from headrace.app.settings import Settings
from headrace.app.views.appender import Appender
from headrace.app.views.logged import Name, UnderWay, refuse_large
from headrace.app.views.owner import AGAIN, Asked, Owners
from headrace.learning.arms.arm import Arm
from headrace.learning.errors import ModelError
from headrace.learning.fold.served_copy import ServedCopy
from headrace.learning.prediction import Prediction, is_finite
from headrace.learning.records import Id, Reader
from headrace.learning.records.schema import find_bad_feature
from headrace.learning.task import Task
from headrace.tables.enricher import Enricher
from headrace.tables.kafka.members import Members
from headrace.tables.kafka.partitioner import partition_of

log = structlog.get_logger()

BATCH_MAX = 1_000

ANSWERS_MAX = 4 << 20
"""Bytes of the answers to one request. With many classes an answer is thousands of times as long as its question."""

LASTING: tuple[ProblemCode, ...] = ("model", "not_finite")
"""Refusals of an owner that another model of the same shard would not be spared."""

FAILED_SECONDS = 60.0
"""How often the log is told that a model fails when it is asked."""

WAIT_SECONDS = 2.0
"""How long a question waits for a position, or for a first model, unless it says so itself."""


Said = TypeVar("Said", dict[str, Any], msgspec.Raw)
"""An answer: of a model here, or as another worker has written it."""


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """What is asked: features, and optionally an id to answer with and the entity's key, which decides the shard.

    `log` appends the question, with what was answered, to the event log, where its label may join it: `durable` (or true) answers when the
    broker has it, `async` at once. `min_position` is a position that the answering model must have folded, and `wait_s` how many seconds may go by until it has.
    """

    features: TaskFeatures
    id: Id | UnsetType = UNSET
    key: Id | UnsetType = UNSET
    log: bool | Literal["durable", "async"] = False
    min_position: Annotated[float, Meta(ge=0, le=2**52)] | UnsetType = UNSET
    wait_s: Annotated[float, Meta(ge=0, le=10)] | UnsetType = UNSET


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
        self.app = app
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
        self.appender = Appender(settings.brokers)
        self._ids = map(f"{secrets.token_hex(6)}-{{:x}}".format, itertools.count())

    def task(self, name: str) -> "ServedTask":
        """The task of this name; a Problem 404 that names those there are."""
        try:
            return self.tasks[name]
        except KeyError:
            known = ", ".join(sorted(self.tasks))
            raise Problem(404, "unknown_task", f"there is no task '{name[:80]}'.", f"Tasks here: {known}.") from None

    async def answer(
        self, served: "ServedTask", questions: Sequence[Question], asked: Asked
    ) -> list[dict[str, Any] | msgspec.Raw]:
        """What the models of the questions' shards say now; a Problem for the first question that cannot be answered."""
        await served.enrich(questions)
        if not any([question.log for question in questions]):  # noqa: C419 a generator takes twice as long for one question
            return await self._answer(served, questions, asked)
        with served.under_way.claimed([] if asked.caller.again else served.names(questions)):
            answers = await self._answer(served, questions, asked)
            await self._log(served, questions, answers)
        return answers

    async def _answer(
        self, served: "ServedTask", questions: Sequence[Question], asked: Asked
    ) -> list[dict[str, Any] | msgspec.Raw]:
        answers: list[Any] = [None] * len(questions)
        room = Room(ANSWERS_MAX)
        elsewhere: dict[int, list[int]] = {}
        for number, question in enumerate(questions):
            if question.id is UNSET:
                question.id = next(self._ids)
            partition = served.partition(question)
            model = served.shards.answering(partition)
            if model is not None and suffices(model, question, asked):
                answers[number] = room.take(self._tell(served, model, question))
            else:
                elsewhere.setdefault(partition, []).append(number)
        if elsewhere:
            found = await asyncio.gather(
                *(
                    self._wait_or_forward(served, partition, [questions[number] for number in numbers], asked, room)
                    for partition, numbers in elsewhere.items()
                )
            )
            for numbers, told in zip(elsewhere.values(), found, strict=True):
                for number, answer in zip(numbers, told, strict=True):
                    answers[number] = answer
        return answers

    async def stop(self) -> None:
        """Close the connections."""
        await self.owners.stop()
        await self.appender.stop()

    async def _log(
        self, served: "ServedTask", questions: Sequence[Question], answers: Sequence[dict[str, Any] | msgspec.Raw]
    ) -> None:
        """Append questions with what was answered; each answer says under `logged` where it is, or whether it is on its way."""
        task, under_way = served.task, served.under_way
        durable: list[tuple[Name, dict[str, Any]]] = []
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

    async def _wait_or_forward(
        self, served: "ServedTask", partition: int, questions: list[Question], asked: Asked, room: "Room"
    ) -> list[dict[str, Any]] | list[msgspec.Raw]:
        """Answers to questions of one shard for which there is no model here, or none that suffices.

        A worker that does not own the shard asks the owner at once, rather than wait for a snapshot. Where a fresh answer was not
        asked for and the owner cannot give one, it waits all the same: it may be about to own the shard itself.
        """
        loop, shards, task = asyncio.get_running_loop(), served.shards, served.task.name
        seconds = max(WAIT_SECONDS if question.wait_s is UNSET else question.wait_s for question in questions)
        until = loop.time() + seconds
        owned = shards.owned.get(partition)
        if owned is None:
            try:
                found = await self.owners.ask(served.task, partition, questions, asked, seconds)
                return [room.take(answer) for answer in found]
            except Problem as problem:
                if asked.fresh or problem.status != 503 or problem.code in LASTING:
                    raise
        elif owned.status == "stopped" and (asked.fresh or owned.learner is None):
            detail = f"shard {partition} of task '{task}' is stopped: {owned.error}"
            raise Problem(503, "stopped", detail, "See GET /v1/{task}.")
        model = await served.arrivals.wait(
            partition,
            lambda model: all(suffices(model, question, asked) for question in questions),
            until - loop.time(),
        )
        if model is None:
            raise _not_yet(served, partition, seconds)
        return [room.take(self._tell(served, model, question)) for question in questions]

    def _tell(self, served: "ServedTask", model: Model, question: Question) -> dict[str, Any]:
        learner, lag = model.learner, 0.0
        assert learner is not None
        served.reader.schema.check(question.features)
        if not served.is_pure:
            served_copy = served.copies[model.partition]
            learner = served_copy.of(learner, 0 if question.min_position is UNSET else question.min_position)
            lag = served_copy.age
        prediction = predicted(served, learner.champion, question)
        if prediction is not None and not is_finite(prediction):
            raise Problem(503, "not_finite", "the model no longer predicts finite numbers.", "See docs/operations.md.")
        if question.log:
            refuse_large(learner, question.features, prediction)
        told = {"prediction": None, "probabilities": None} if prediction is None else prediction.told()
        return {
            "id": question.id,
            **told,
            "arm": "champion",
            "version": learner.champion.version,
            "position": learner.state.position,
            "staleness_s": round(model.staleness + lag, 3),
        }


class Room:
    """Counts the bytes of answers while they are made.

    Parameters
    ----------
    limit
        Bytes that they may have.

    Examples
    --------
    >>> room = Room(limit=20)
    >>> room.take({"prediction": 1})
    {'prediction': 1}
    >>> room.take({"prediction": 1})
    Traceback (most recent call last):
    ...
    headrace.app.errors.Problem: the answers have more than 20 bytes.
    """

    def __init__(self, limit: int):
        self.limit = self.left = limit

    def take(self, answer: Said) -> Said:
        """Count one more answer, and give it back; a Problem 413 if there is no room for it."""
        size = len(memoryview(answer)) if isinstance(answer, msgspec.Raw) else len(msgspec.json.encode(answer))
        self.left -= size
        if self.left < 0:
            detail = f"the answers have more than {self.limit} bytes."
            raise Problem(413, "too_large", detail, "Ask fewer questions at a time, or use fewer or shorter labels.")
        return answer


class ServedTask:
    """A task with its models on this worker, the reader of its records, the requests that wait, and what adds stored features, if it has any.

    A model that is not pure, which means that it changes when it is asked, is asked by way of a copy.
    """

    def __init__(self, task: Task, shards: Shards, enricher: Enricher | None = None, *, is_pure: bool = True):
        self.task, self.shards, self.reader, self.arrivals = task, shards, Reader(task), Arrivals(shards)
        self.enricher, self.is_pure = enricher, is_pure
        self.copies = defaultdict[int, ServedCopy](lambda: ServedCopy(monotonic, shards.collaborators.own_modules))
        self.under_way = UnderWay(shards)
        self._failed_at = -FAILED_SECONDS
        self.sources = {source.topic for source in task.sources or ()}

    def partition(self, question: Question) -> int:
        """The shard that a question goes to: that of its key; without one, a shard of this worker, where there is one.

        A question that is logged goes by its id then, as its label will.

        A Problem 409 where a position is asked for and the shard that it is of is not told.
        """
        if self.task.partitions == 1:
            return 0
        if question.key is not UNSET or question.log:
            return partition_of(shard_key(question), self.task.partitions)
        if question.min_position is not UNSET:
            detail = f"a position is one shard's, and the task '{self.task.name}' has {self.task.partitions}."
            raise Problem(409, "key", detail, "Send the key too.")
        known = (*self.shards.owned, *range(self.task.partitions))
        return next((partition for partition in known if self.shards.answering(partition) is not None), 0)

    def names(self, questions: Sequence[Question]) -> list[Name]:
        """The shards and ids of the questions that are to be logged under an id that their sender has chosen."""
        partitions = self.task.partitions
        return [
            (partition_of(shard_key(question), partitions), question.id)
            for question in questions
            if question.log and question.id is not UNSET
        ]

    def failed(self, error: BaseException) -> Problem:
        """The refusal of a question for which the model has raised this; the log has it whole, once a minute at most."""
        raised = error.what if isinstance(error, ModelError) else f"{type(error).__name__}: {str(error)[:200]}"
        if (now := monotonic()) - self._failed_at >= FAILED_SECONDS:
            self._failed_at = now
            log.error(
                "a model failed when it was asked", task=self.task.name, model=self.task.model_name, exc_info=error
            )
        model = f"the model '{self.task.model_name}' of task '{self.task.name}'"
        remedy = (
            "Mend the model, or declare `features` in headrace.toml so that it is asked only with what it can take."
        )
        return Problem(503, "model", f"{model} cannot answer these features: {raised}", remedy)

    async def enrich(self, questions: Sequence[Question]) -> None:
        """Give questions the stored features that they do not carry, in one look-up."""
        if self.enricher is not None:
            rows = [(None if question.key is UNSET else question.key, question.features) for question in questions]
            for question, features in zip(questions, await self.enricher.enrich(rows), strict=True):
                question.features = features


class Resource(View):
    """A view that knows what to answer from."""

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Answer a request. Faust's own way here counts and times each one, which costs a tenth of a prediction."""
        answer: web.StreamResponse = await self.methods[request.method.lower()](request, **request.match_info)
        return answer

    def get_methods(self) -> set[str]:
        """The methods that have a contract, and HEAD where GET has one."""
        said = {name.upper() for name in METHODS if hasattr(self.methods[name], "contract")}
        return said | ({"HEAD"} if "GET" in said else set())

    @property
    def serving(self) -> Serving:
        """What this worker serves."""
        serving: Serving = self.app.serving
        return serving

    @staticmethod
    def answer(value: object, status: int = 200) -> web.Response:
        """A JSON answer."""
        return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")


def predicted(served: ServedTask, arm: Arm, question: Question) -> Prediction | None:
    """What an arm says of a question; a Problem 503 that names the model where it raises anything at all.

    Nothing is let through, not even what ends a program: it is the model that has raised it, in the middle of a call that waits for
    nothing, and signals do not raise in this loop.
    """
    try:
        return arm.predict(question.features)
    except BaseException as error:
        raise served.failed(error) from error


def shard_key(question: Question) -> str:
    """What places a question that is logged: its key, or its id."""
    key = question.id if question.key is UNSET else question.key
    assert key is not UNSET
    return key


def suffices(model: Model, question: Question, asked: Asked) -> bool:
    """Whether a model may answer a question."""
    if asked.fresh and model.status != "live":
        return False
    return question.min_position is UNSET or model.position >= question.min_position


def _not_yet(served: ServedTask, partition: int, seconds: float) -> Problem:
    model, which = served.shards.answering(partition), f"shard {partition} of task '{served.task.name}'"
    if model is None:
        return Problem(503, "opening", f"{which} is being opened.", "Ask again in a second.", AGAIN)
    detail = f"after {seconds:g} s {which} is at position {model.position} here, {model.status}."
    return Problem(
        409, "not_yet", detail, "Ask again, with a longer wait_s (up to 10), or for an earlier position.", AGAIN
    )


def explain(body: bytes, error: Exception, *, many: bool = False) -> Problem:
    """Why a body cannot be read, naming the feature where it is one."""
    try:
        loose = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        return Problem(
            400, "not_json", f"the body is not JSON: {str(problem).rstrip('.')}.", "Send JSON with finite numbers."
        )
    for question in loose if isinstance(loose, list) else [loose]:
        if isinstance(question, dict) and (bad := find_bad_feature(question.get("features", {}))):
            return Problem(422, "feature", bad.what, bad.remedy)
    shape = '{"features": {...}, "id"?, "key"?, "log"?, "min_position"?, "wait_s"?}'
    remedy = f"Send a list, each like {shape}." if many else f"Send {shape}."
    return Problem(422, "shape", f"the body is not of the right shape: {error}.", remedy)

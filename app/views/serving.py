"""What the views answer from: the shards of this worker, and who owns the others."""

import itertools
import secrets
from typing import Any

import msgspec
from aiohttp import web
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from faust.web import View
from msgspec import UNSET, UnsetType

from agents.learn import LearningApp
from agents.members import Members
from agents.shard import Shard
from agents.shards import Shards
from app.contract import METHODS, TaskFeatures
from app.errors import Problem
from app.settings import Settings
from learning.learner import is_finite
from learning.records import Id, Reader
from learning.schema import find_bad_feature
from learning.task import Task
from tables.producer import start_producer

BATCH_MAX = 1_000


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """What is asked: features, and optionally an id to answer with and the entity's key, which decides the shard."""

    features: TaskFeatures
    id: Id | UnsetType = UNSET
    key: Id | UnsetType = UNSET


class Serving:
    """Answers for the tasks of a worker.

    Parameters
    ----------
    app
        Holds the shards.
    settings
        Names broker and tasks.
    """

    def __init__(self, app: LearningApp, settings: Settings):
        self.app = app
        self.tasks: dict[str, ServedTask] = {}
        for task in settings.tasks.values():
            self.tasks[task.name] = ServedTask(task, app.learning[task.events])
        self.members = Members(settings.brokers, app.conf.id)
        self.brokers = settings.brokers
        self._producer: AIOKafkaProducer | None = None
        self._ids = map(f"{secrets.token_hex(6)}-{{:x}}".format, itertools.count())

    def task(self, name: str) -> "ServedTask":
        """The task of this name; a Problem 404 that names those there are."""
        try:
            return self.tasks[name]
        except KeyError:
            known = ", ".join(sorted(self.tasks))
            raise Problem(404, "unknown_task", f"there is no task '{name[:80]}'.", f"Tasks here: {known}.") from None

    async def answer(self, served: "ServedTask", question: Question) -> dict[str, Any]:
        """What the model of the question's shard says now."""
        shard = await self._shard(served, question.key)
        learner = shard.learner
        assert learner is not None
        served.reader.schema.check(question.features)
        prediction = learner.champion.predict(question.features)
        if prediction is not None and not is_finite(prediction):
            raise Problem(503, "not_finite", "the model no longer predicts finite numbers.", "See docs/operations.md.")
        told = {"prediction": None, "probabilities": None} if prediction is None else prediction.told()
        return {
            "id": next(self._ids) if question.id is UNSET else question.id,
            **told,
            "arm": "champion",
            "version": learner.champion.version,
            "position": learner.state.position,
            "staleness_s": round(shard.staleness, 3),
        }

    async def producer(self) -> AIOKafkaProducer:
        """The producer that appends to event logs."""
        if self._producer is None:
            self._producer = await start_producer(self.brokers)
        return self._producer

    async def stop(self) -> None:
        """Close the connections."""
        await self.members.stop()
        if self._producer is not None:
            await self._producer.stop()

    async def _shard(self, served: "ServedTask", key: str | UnsetType) -> Shard:
        shards, count = served.shards, served.task.partitions
        if key is not UNSET:
            partition = partition_of(key, count)
            if shard := shards.answering(partition):
                return shard
        else:
            for partition in range(count):
                if shard := shards.answering(partition):
                    return shard
            partition = 0
        if partition in shards.owned:
            if error := shards.owned[partition].error:
                raise Problem(503, "stopped", f"shard {partition} of task '{served.task.name}' is stopped: {error}")
            detail = f"shard {partition} of task '{served.task.name}' is being opened."
            raise Problem(503, "opening", detail, "Ask again in a second.", {"Retry-After": "1"})
        owner = await self.members.owner(served.task.events, partition)
        detail = f"shard {partition} of task '{served.task.name}' is not on this worker."
        if owner is None:
            raise Problem(
                503, "no_owner", detail + " The group is settling.", "Ask again in a second.", {"Retry-After": "1"}
            )
        raise Problem(421, "other_worker", detail, f"Ask its owner: {owner}.", {"Location": owner})


class ServedTask:
    """A task with its shards on this worker and the reader of its records."""

    def __init__(self, task: Task, shards: Shards):
        self.task, self.shards, self.reader = task, shards, Reader(task)


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


def partition_of(key: str, partitions: int) -> int:
    """The shard of an entity's key: Kafka's default partitioner.

    Examples
    --------
    >>> partition_of("user-1", 4)
    0
    """
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % partitions)


def explain(body: bytes, error: Exception) -> Problem:
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
    return Problem(
        422, "shape", f"the body is not of the right shape: {error}.", 'Send {"features": {...}, "id"?, "key"?}.'
    )

"""`GET /v1/{task}/predictions/{id}`: what was asked, answered and learned for the id of a logged question."""

from typing import Annotated

import msgspec
from aiohttp import web

from headrace.app.answers import AskedQuestion
from headrace.app.caller import CALLER, Caller
from headrace.app.contract import contract
from headrace.app.errors import Problem
from headrace.app.serving.past_questions import PastQuestions
from headrace.app.views.resource import Resource
from headrace.learning.records import Id
from headrace.learning.task import Task
from headrace.tables.kafka.partitioner import partition_of

KEY_MAX = 256

Partition = Annotated[int, msgspec.Meta(ge=0)]


class LoggedPrediction(Resource):
    """A logged question, while its shard keeps it."""

    @contract(
        role="predict",
        gives=AskedQuestion,
        problems=(404, 422, 503),
        parameters={"key": Id, "partition": Partition},
    )
    async def get(self, request: web.Request, task: str, id: str) -> web.Response:  # noqa: A002 as in the path
        """Tell what was asked, what each arm predicted, and the label if it has come; from any worker."""
        served = self.serving.task(task)
        caller = request.get(CALLER) or Caller()
        partitions = choose_partitions(request, served.task, id)
        questions = PastQuestions(self.serving.owners, served)
        return self.answer(await questions.find(id, partitions, caller))


def choose_partitions(request: web.Request, task: Task, record_id: str) -> list[int]:
    """Return the shards to look in: the one of `partition` or `key`, or else all, with that of the id first; none if there is no such shard."""
    number, key = request.query.get("partition"), request.query.get("key")
    if number is not None:
        if not (number.isascii() and number.isdigit()):
            detail = f"partition={number[:20]} is no number of a partition."
            raise Problem(422, "partition", detail, f"Send a number from 0 to {task.partitions - 1}, or nothing.")
        return [int(number)] if len(number) < 10 and int(number) < task.partitions else []
    if key is not None:
        if not 1 <= len(key) <= KEY_MAX:
            raise Problem(422, "key", f"the key has {len(key)} characters.", f"Use 1 to {KEY_MAX}.")
        return [partition_of(key, task.partitions)]
    first = partition_of(record_id, task.partitions)
    return [first, *(partition for partition in range(task.partitions) if partition != first)]

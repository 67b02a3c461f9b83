"""`GET /healthz` and `/readyz`: says whether the process lives, and whether it can answer requests."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
import structlog
from aiohttp import web
from msgspec import UNSET, UnsetType

from headrace.agents.learn import LearningApp
from headrace.app.answers import Position
from headrace.app.contract import contract
from headrace.app.errors import Problem
from headrace.app.serving.served_task import ServedTask
from headrace.app.serving.serving import Serving
from headrace.app.views.resource import Resource
from headrace.app.wiring import Wiring

log = structlog.get_logger()

READY_SECONDS = 0.1
"""How often a starting worker checks whether it is ready."""


class Health(msgspec.Struct, frozen=True):
    """The answer of `/healthz`."""

    status: Literal["alive"]


class StoppedShard(msgspec.Struct, frozen=True):
    """A shard that is stopped on this worker, with the code of its error. `GET /v1/{task}` has the whole error."""

    task: str
    partition: Position
    code: str


class StoppedSource(msgspec.Struct, frozen=True):
    """A stopped partition of a source, whose records no longer come into the event log; `*` for all partitions. `GET /v1/{task}` has the error."""

    task: str
    topic: str
    partition: Position | Literal["*"]


class Readiness(msgspec.Struct, frozen=True):
    """The answer of a worker that is ready, with its stopped shards and sources, if there are any."""

    status: Literal["ready"]
    stopped: list[StoppedShard] | UnsetType = UNSET
    sources: list[StoppedSource] | UnsetType = UNSET


class Healthy(Resource):
    """Says whether the process answers at all."""

    @contract(role=None, gives=Health)
    async def get(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Answer 200 as long as the event loop runs."""
        return self.answer(Health(status="alive"))


class Ready(Resource):
    """Says whether requests should be sent to this worker.

    The route needs no API key, so its answer has only task, shard and code of an error. The text of an error may contain files, addresses
    and values of a record: `GET /v1/{task}` shows it to callers with a key.

    Taking workers out of the service does not mend a stopped shard or source, and would take out every worker. So the answer lists stopped
    shards and sources, and the worker is ready while at least one shard is not stopped. With the parameter `task` the check is strict.

    If several processes share the port, the answer is that of all of them; at the address of one process it is that of this process.
    """

    @contract(role=None, gives=Readiness, problems=(404, 503), parameters={"task": str})
    async def get(self, request: web.Request) -> web.Response:
        """Answer 200 if the worker is ready, else 503 with the cause. `task` checks one task: 503 if any of its shards or sources is stopped."""
        task, siblings = request.query.get("task"), self.wiring.siblings
        readiness = check_ready(self.wiring.app, self.serving, task)
        if siblings is not None and siblings.is_shared(request):
            others = [msgspec.json.decode(body, type=Readiness) for body in await siblings.readiness(task)]
            readiness = merged([readiness, *others])
        return self.answer(readiness)


def merged(answers: Sequence[Readiness]) -> Readiness:
    """Return the answer of several processes as that of one: what is stopped on any of them is listed once.

    Examples
    --------
    >>> stopped = StoppedShard("ads", 1, "log")
    >>> merged([Readiness("ready", [stopped]), Readiness("ready"), Readiness("ready", [stopped])]).stopped
    [StoppedShard(task='ads', partition=1, code='log')]
    """
    shards = dict.fromkeys(shard for answer in answers for shard in answer.stopped or ())
    sources = dict.fromkeys(source for answer in answers for source in answer.sources or ())
    return Readiness("ready", stopped=list(shards) or UNSET, sources=list(sources) or UNSET)


def check_ready(app: LearningApp, serving: Serving, name: str | None = None) -> Readiness:
    """Return the answer of a ready worker, for all tasks or strictly for one; Problem 503 with the cause if the worker is not ready."""
    tasks = list(serving.tasks.values()) if name is None else [serving.task(name)]
    if not app.has_joined:
        raise Problem(503, "joining", "the worker has not joined its group yet.", "Ask again in a second.")
    stopped = _stopped_of(tasks)
    if stopped and (name is not None or len(stopped) == sum(served.task.partitions for served in tasks)):
        one = stopped[0]
        which = "a shard" if name is not None else "every shard"
        detail = f"{which} is stopped: shard {one.partition} of task '{one.task}', {one.code}."
        raise Problem(503, "stopped", detail, "See GET /v1/{task}.")
    sources = [
        source for served in tasks for source in _stopped_sources_of(app, served.task.name, is_strict=name is not None)
    ]
    return Readiness(status="ready", stopped=stopped or UNSET, sources=sources or UNSET)


def _stopped_of(tasks: Iterable[ServedTask]) -> list[StoppedShard]:
    """List the stopped shards of tasks; Problem 503 if a task still opens a shard or reads its stored features."""
    stopped: list[StoppedShard] = []
    for served in tasks:
        task = served.task.name
        for lack in served.shards.lacking():
            if lack.state == "opening":
                how = "cannot be opened yet" if lack.error else "is being opened"
                detail = f"shard {lack.partition} of task '{task}' {how}."
                raise Problem(503, "opening", detail, "Ask again; GET /v1/{task} tells the cause.")
            stopped.append(StoppedShard(task, lack.partition, lack.code))
        is_waiting = served.enricher is not None and not served.enricher.store.is_current
        if is_waiting and served.shards.trouble is None:
            raise Problem(503, "opening", f"stored features of task '{task}' are being read.", "Ask again in a second.")
    return stopped


def _stopped_sources_of(app: LearningApp, task: str, *, is_strict: bool) -> list[StoppedSource]:
    """List the stopped partitions of a task's sources; with `is_strict`, Problem 503 for the first that is stopped or cannot be opened."""
    stopped: list[StoppedSource] = []
    for lack in app.ingesting[task].lacking() if task in app.ingesting else ():
        if is_strict:
            what = "is stopped" if lack.state == "stopped" else "cannot be opened yet"
            detail = f"a source {what}: {lack.topic}/{lack.partition} of task '{task}'."
            raise Problem(503, lack.state, detail, "See GET /v1/{task}.")
        if lack.state == "stopped":
            stopped.append(StoppedSource(task, lack.topic, lack.partition))
    return stopped


def is_ready(wiring: Wiring) -> bool:
    """Say whether the worker is ready."""
    try:
        check_ready(wiring.app, wiring.serving)
    except Problem:
        return False
    return True


async def announce_ready(wiring: Wiring, address: str) -> None:
    """Log the line `ready at …` when the worker is ready for the first time."""
    while not is_ready(wiring):
        await asyncio.sleep(READY_SECONDS)
    log.info(f"ready at {address}")  # noqa: G004 people search for this line

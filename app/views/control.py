"""`POST /v1/{task}/control`: append a control record to the event log, and tell what each shard did when it came to it."""

import asyncio
from collections.abc import Mapping
from typing import Annotated
from uuid import uuid4

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from headrace.agents.shards import Shards
from headrace.app.answers import At, Controlled, Done
from headrace.app.contract import contract
from headrace.app.encodings import read_body
from headrace.app.errors import Problem
from headrace.app.views.resource import Resource
from headrace.learning.acts.job import Job
from headrace.learning.commands import COMMANDS
from headrace.learning.commands.define import Define, check_model, check_spec
from headrace.learning.plain import plain
from headrace.learning.promises import Install
from headrace.learning.records import Id, refuse_duplicate_keys
from headrace.learning.task import Json, Task

WAIT_SECONDS = 10.0
"""How long to wait for the shards if the request does not say."""

WAIT_MAX = 60.0
"""The longest that a request may have the worker wait, in seconds."""

LOOK_SECONDS = 0.02
"""How often to look whether the shards have come to the record."""


class ControlRecord(msgspec.Struct, kw_only=True):
    """A control record, with what its command takes beside; to all shards, or to those of `partitions`. `wait_s` is how long to wait for them."""

    control: str
    id: Id | UnsetType = UNSET
    by: Annotated[str, Meta(max_length=256)] = ""
    partitions: list[Annotated[int, Meta(ge=0)]] | UnsetType = UNSET
    wait_s: Annotated[float, Meta(ge=0, le=WAIT_MAX)] = WAIT_SECONDS


class Control(Resource):
    """Control records for the event log."""

    @contract(role="admin", takes=ControlRecord, gives=Controlled, problems=(413, 422, 503))
    async def post(self, request: web.Request, task: str) -> web.Response:
        """Append a control record, and answer 200 with what each shard did once all have come to it, or 202 when the time is up."""
        served = self.serving.task(task)
        body = await read_body(request)
        try:
            loose = msgspec.json.decode(body, type=dict[str, Json])
            asked = msgspec.convert(loose, ControlRecord)
        except msgspec.ValidationError as error:
            raise Problem(
                422, "control", f"this is no control record: {plain(error)}.", 'Send {"control": ...}.'
            ) from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Problem(400, "not_json", f"the body is not JSON: {plain(error)}.", "Send an object.") from None
        refuse_duplicate_keys(body)
        partitions = self._choose(served.task, asked)
        record = {name: value for name, value in loose.items() if name not in ("partitions", "wait_s")}
        record["id"] = name = f"c-{uuid4().hex}" if asked.id is UNSET else asked.id
        self._check(served.shards, asked.control, record)
        known = {at for at in partitions if name in controls_of(served.shards, at)}
        at = await self.serving.appender.append_to(served.task, partitions, msgspec.json.encode(record))
        shards = await self._wait(served.shards, name, at, asked.wait_s)
        shards = [msgspec.structs.replace(one, repeated=one.partition in known) for one in shards]
        return self.answer(Controlled(name, shards), status=202 if any(one.did is None for one in shards) else 200)

    @staticmethod
    def _choose(task: Task, asked: ControlRecord) -> list[int]:
        if asked.partitions is UNSET:
            return list(range(task.partitions))
        if strange := [at for at in asked.partitions if at >= task.partitions]:
            what = f"there is no partition {strange[0]}: the task '{task.name}' has {task.partitions}."
            raise Problem(422, "control", what, f"Send partitions from 0 to {task.partitions - 1}, or none for all.")
        return sorted(set(asked.partitions))

    @staticmethod
    def _check(shards: Shards, name: str, record: dict[str, Json]) -> None:
        """Refuse what every shard would refuse, or stop at."""
        command = COMMANDS.get(name)
        if command is None:
            what, remedy = COMMANDS.describe_unknown(name[:80])
            raise Problem(422, "control", what, remedy)
        try:
            arguments = msgspec.convert(
                {key: value for key, value in record.items() if key != "control"}, command.arguments
            )
            modules = shards.collaborators.own_modules
            if isinstance(arguments, Define):
                check_model(shards.task, arguments, modules)
            elif isinstance(arguments, Install | Job) and arguments.model is not None:
                check_spec(arguments.model, shards.task.kind, modules)
        except ValueError as error:
            raise Problem(
                422, "control", f"the command '{name}': {plain(error)}.", "See docs/reference.md, Commands."
            ) from None

    @staticmethod
    async def _wait(shards: Shards, name: str, at: list[At], seconds: float) -> list[Done]:
        """Wait until every shard has come to the record, or the time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            done = [Done(place.partition, place.offset, what_it_did(shards, place, name)) for place in at]
            if all(one.did is not None for one in done) or loop.time() >= deadline:
                return done
            await asyncio.sleep(LOOK_SECONDS)


class ControlDone(Resource):
    """What came of a control record."""

    @contract(role="predict", gives=Controlled)
    async def get(self, request: web.Request, task: str, id: str) -> web.Response:  # noqa: A002, ARG002 as in the path
        """Tell what each shard did with the control record, or the job, of an id; null from a shard that does not know it yet, or no more."""
        shards = self.serving.task(task).shards
        done = [Done(at, None, controls_of(shards, at).get(id)) for at in range(shards.task.partitions)]
        return self.answer(Controlled(id, done))


def controls_of(shards: Shards, partition: int) -> Mapping[str, str]:
    """Give what the control records did that a shard remembers, by their ids, as far as this worker knows."""
    model = shards.answering(partition)
    return model.learner.state.controls if model and model.learner else {}


def what_it_did(shards: Shards, at: At, name: str) -> str | None:
    """Say what a shard did with a control record, as far as this worker knows; None if it has not come to it."""
    model = shards.answering(at.partition)
    if model is None or model.learner is None or model.position <= at.offset:
        return None
    return model.learner.state.controls.get(name, "refused: its quarantine says why")

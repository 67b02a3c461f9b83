"""`POST /v1/{task}/samples`: append labelled samples to the event log."""

import asyncio
from typing import Annotated, Any

import msgspec
from aiohttp import web
from aiokafka.errors import KafkaError
from msgspec import UNSET, UnsetType

from app.contract import TaskFeatures, TaskLabel, contract
from app.errors import Problem
from app.views.serving import BATCH_MAX, Resource, ServedTask, partition_of
from learning.errors import RecordError
from learning.records import Control, Id, Time, refuse_duplicate_keys

APPEND_SECONDS = 15.0
"""How long the broker may take to acknowledge the samples of one request."""


class Sample(msgspec.Struct, forbid_unknown_fields=True):
    """Features with their label; optionally an id, the event's time in epoch seconds, and the entity's key, which decides the shard."""

    features: TaskFeatures
    label: TaskLabel
    id: Id | UnsetType = UNSET
    time: Time | UnsetType = UNSET
    key: Id | UnsetType | None = UNSET


Many = Annotated[list[Sample], msgspec.Meta(min_length=1, max_length=BATCH_MAX)]


class At(msgspec.Struct, frozen=True):
    """Where a record is in the event log."""

    partition: int
    offset: int


class Appended(msgspec.Struct, frozen=True):
    """Where the samples of a request are, in their order."""

    positions: list[At]


class Samples(Resource):
    """Samples for the event log: checked all before any is appended."""

    @contract(role="feedback", takes=Sample | Many, gives=Appended, status=202, problems=(422, 503))
    async def post(self, request: web.Request, task: str) -> web.Response:
        """Check one sample or a list, append them, and answer 202 with their positions once the broker has them."""
        served = self.serving.task(task)
        body = await request.read()
        try:
            loose = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problem = f"the body is not JSON: {str(error).rstrip('.')}."
            raise Problem(400, "not_json", problem, "Send a sample or a list of them.") from None
        refuse_duplicate_keys(body)
        samples = loose if isinstance(loose, list) else [loose]
        if not 1 <= len(samples) <= BATCH_MAX:
            raise Problem(422, "too_many", f"{len(samples)} samples in one request.", f"Send 1 to {BATCH_MAX}.")
        checked = [self._check(served, number, sample) for number, sample in enumerate(samples)]
        try:
            written = await asyncio.wait_for(self._append(served, checked), APPEND_SECONDS)
        except (KafkaError, OSError) as error:
            detail = f"the broker did not take every sample: {error!r}. Some may be in the log."
            raise Problem(503, "broker", detail, "Send them again with their ids.", {"Retry-After": "1"}) from None
        return self.answer(Appended(written), status=202)

    async def _append(self, served: ServedTask, checked: list[tuple[str | None, bytes]]) -> list[At]:
        producer, sent = await self.serving.producer(), []
        for key, value in checked:
            partition = None if key is None else partition_of(key, served.task.partitions)
            encoded = None if key is None else key.encode()
            sent.append(await producer.send(served.task.events, value, key=encoded, partition=partition))
        return [At(at.partition, at.offset) for at in await asyncio.gather(*sent)]

    @staticmethod
    def _check(served: ServedTask, number: int, sample: Any) -> tuple[str | None, bytes]:
        """The key and the bytes of one sample; a Problem that names its place in the request."""
        if not isinstance(sample, dict):
            raise Problem(
                422, "not_an_object", f"sample {number} is not a JSON object.", 'Send {"features": ..., "label": ...}.'
            )
        key = sample.pop("key", None)
        if key is not None and not (isinstance(key, str) and 1 <= len(key) <= 256):
            raise Problem(
                422, "key", f"sample {number}: the key is not a string of 1 to 256 characters.", "Send a string."
            )
        value = msgspec.json.encode(sample)
        try:
            record = served.reader.read_record(value)
        except RecordError as error:
            raise Problem(422, error.code, f"sample {number}: {error.what}", error.remedy) from None
        if isinstance(record, Control) or record.features is UNSET or record.label is UNSET:
            raise Problem(
                422, "incomplete", f"sample {number} lacks features or label.", "Send features and label together."
            )
        return key, value

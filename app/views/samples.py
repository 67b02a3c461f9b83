"""`POST /v1/{task}/samples`: append labelled samples to the event log."""

import asyncio
from typing import Any

import msgspec
from aiohttp import web
from aiokafka.errors import KafkaError

from app.errors import Problem
from app.views.serving import BATCH_MAX, Resource, ServedTask, partition_of
from learning.errors import RecordError
from learning.records import Control, refuse_duplicate_keys

APPEND_SECONDS = 15.0
"""How long the broker may take to acknowledge the samples of one request."""


class Samples(Resource):
    """Samples for the event log: checked all before any is appended."""

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
        await self._enrich(served, samples)
        checked = [self._check(served, number, sample) for number, sample in enumerate(samples)]
        try:
            written = await asyncio.wait_for(self._append(served, checked), APPEND_SECONDS)
        except (KafkaError, OSError) as error:
            detail = f"the broker did not take every sample: {error!r}. Some may be in the log."
            raise Problem(503, "broker", detail, "Send them again with their ids.", {"Retry-After": "1"}) from None
        return self.answer({"positions": written}, status=202)

    @staticmethod
    async def _enrich(served: ServedTask, samples: list[Any]) -> None:
        """Freeze into samples the stored features that they do not carry, as a question would get them."""
        if served.enricher is None:
            return
        fit = [s for s in samples if isinstance(s, dict) and isinstance(s.get("features"), dict)]
        rows = [(key if isinstance(key := sample.get("key"), str) else None, sample["features"]) for sample in fit]
        for sample, features in zip(fit, await served.enricher.enrich(rows), strict=True):
            sample["features"] = features

    async def _append(self, served: ServedTask, checked: list[tuple[str | None, bytes]]) -> list[dict[str, int]]:
        producer, sent = await self.serving.producer(), []
        for key, value in checked:
            partition = None if key is None else partition_of(key, served.task.partitions)
            encoded = None if key is None else key.encode()
            sent.append(await producer.send(served.task.events, value, key=encoded, partition=partition))
        return [{"partition": at.partition, "offset": at.offset} for at in await asyncio.gather(*sent)]

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
        if isinstance(record, Control) or record.features is msgspec.UNSET or record.label is msgspec.UNSET:
            raise Problem(
                422, "incomplete", f"sample {number} lacks features or label.", "Send features and label together."
            )
        return key, value

"""`POST /v1/{task}/samples`: append labelled samples to the event log."""

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from headrace.app.answers import Appended
from headrace.app.contract import TaskFeatures, TaskLabel, contract
from headrace.app.encodings import read_body
from headrace.app.errors import Problem
from headrace.app.serving.question import BATCH_MAX
from headrace.app.serving.served_task import ServedTask
from headrace.app.views.resource import Resource
from headrace.learning.errors import RecordError
from headrace.learning.records import Id, Record, SourcePosition, Time, refuse_duplicate_keys
from headrace.learning.task import Json


class Sample(msgspec.Struct, forbid_unknown_fields=True):
    """Features with their label; optionally an id, the event's time in epoch seconds, and the entity's key, which decides the shard."""

    features: TaskFeatures
    label: TaskLabel
    id: Id | UnsetType = UNSET
    time: Time | UnsetType = UNSET
    source: SourcePosition | UnsetType = UNSET
    key: Id | UnsetType | None = UNSET


Many = Annotated[list[Sample], msgspec.Meta(min_length=1, max_length=BATCH_MAX)]


class Samples(Resource):
    """Samples for the event log: checked all before any is appended."""

    noun = "sample"
    shape = 'Send {"features": {...}, "label": ...}.'

    @contract(role="feedback", takes=Sample | Many, gives=Appended, status=202, problems=(413, 422, 503))
    async def post(self, request: web.Request, task: str) -> web.Response:
        """Check one sample or a list, append them, and answer 202 with their positions once the broker has them."""
        return await self._append(request, task)

    async def _append(self, request: web.Request, task: str) -> web.Response:
        served = self.serving.task(task)
        body = await read_body(request)
        try:
            loose = msgspec.json.decode(body)
            refuse_duplicate_keys(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problem = f"the body is not JSON: {str(error).rstrip('.')}."
            raise Problem(400, "not_json", problem, f"Send a {self.noun} or a list of them.") from None
        records = loose if isinstance(loose, list) else [loose]
        if not 1 <= len(records) <= BATCH_MAX:
            raise Problem(422, "too_many", f"{len(records)} {self.noun}s in one request.", f"Send 1 to {BATCH_MAX}.")
        await self._enrich(served, records)
        checked = [self._check(served, number, record) for number, record in enumerate(records)]
        return self.answer(Appended(await self.serving.appender.append(served.task, checked)), status=202)

    @staticmethod
    async def _enrich(served: ServedTask, records: list[Json]) -> None:
        """Freeze into samples the stored features that they do not carry, as a question would get them."""
        if served.enricher is None:
            return
        fit = [told for told in records if isinstance(told, dict) and isinstance(told.get("features"), dict)]
        rows = [(key if isinstance(key := told.get("key"), str) else None, told["features"]) for told in fit]
        for told, features in zip(fit, await served.enricher.enrich(rows), strict=True):
            told["features"] = features

    def _check(self, served: ServedTask, number: int, told: Json) -> tuple[str | None, bytes]:
        """The key and the bytes of one record; a Problem that names its place in the request."""
        which = f"{self.noun} {number}"
        if not isinstance(told, dict):
            raise Problem(422, "not_an_object", f"{which} is not a JSON object.", self.shape)
        key = told.pop("key", None)
        if key is not None and not (isinstance(key, str) and 1 <= len(key) <= 256):
            raise Problem(422, "key", f"{which}: the key is not a string of 1 to 256 characters.", "Send a string.")
        value = msgspec.json.encode(told)
        try:
            record = served.reader.read_record(value)
        except RecordError as error:
            raise Problem(422, error.code, f"{which}: {error.what}", error.remedy) from None
        if not isinstance(record, Record) or not self.is_wanted(record):
            raise Problem(422, "incomplete", f"{which} is none.", self.shape)
        if record.source is not UNSET and record.source.partition("/")[0] in served.sources:
            detail = f"{which}: its source is a topic that the workers bring in themselves."
            raise Problem(422, "source", detail, "Leave it out, or name where this record is from.")
        return key or self.key_of(record), value

    @staticmethod
    def is_wanted(record: Record) -> bool:
        """Whether this is a record of the resource's kind."""
        return record.features is not msgspec.UNSET and record.label is not msgspec.UNSET

    @staticmethod
    def key_of(record: Record) -> str | None:  # noqa: ARG004 a sample's id says nothing of its entity
        """The key of a record that was sent without one."""
        return None

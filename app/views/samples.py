"""`POST /v1/{task}/samples`: append samples to the event log: labelled ones, or features alone if the task learns without labels."""

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
from headrace.learning.plain import plain
from headrace.learning.records import Id, Record, SourcePosition, Time, refuse_duplicate_keys
from headrace.learning.task import Json, Task


class Sample(msgspec.Struct, forbid_unknown_fields=True):
    """Features with their label, which a task that learns without labels does not need; optionally an id, the event's time in epoch seconds, and the entity's key, which decides the shard."""

    features: TaskFeatures
    label: TaskLabel
    id: Id | UnsetType = UNSET
    time: Time | UnsetType = UNSET
    source: SourcePosition | UnsetType = UNSET
    key: Id | UnsetType | None = UNSET


Many = Annotated[list[Sample], msgspec.Meta(min_length=1, max_length=BATCH_MAX)]


class Samples(Resource):
    """Appends samples to the event log, after all of them have been checked."""

    noun = "sample"
    shape = 'Send {"features": {...}, "label": ...}.'

    @contract(role="feedback", takes=Sample | Many, gives=Appended, status=202, problems=(413, 422, 503))
    async def post(self, request: web.Request, task: str) -> web.Response:
        """Check one sample or a list, append them, and answer 202 with their positions when the broker has acknowledged them."""
        return await self._append(request, task)

    async def _append(self, request: web.Request, task: str) -> web.Response:
        served = self.serving.task(task)
        body = await read_body(request)
        try:
            loose = msgspec.json.decode(body)
            refuse_duplicate_keys(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problem = f"the body is not JSON: {plain(error)}."
            raise Problem(400, "not_json", problem, f"Send a {self.noun} or a list of them.") from None
        records = loose if isinstance(loose, list) else [loose]
        if not 1 <= len(records) <= BATCH_MAX:
            raise Problem(422, "too_many", f"{len(records)} {self.noun}s in one request.", f"Send 1 to {BATCH_MAX}.")
        await self._enrich(served, records)
        checked = [self._check(served, number, record) for number, record in enumerate(records)]
        return self.answer(Appended(await self.serving.appender.append(served.task, checked)), status=202)

    @staticmethod
    async def _enrich(served: ServedTask, records: list[Json]) -> None:
        """Add the stored features that samples lack, as a question would get them."""
        if served.enricher is None:
            return
        readable = [raw for raw in records if isinstance(raw, dict) and isinstance(raw.get("features"), dict)]
        rows = [(key if isinstance(key := raw.get("key"), str) else None, raw["features"]) for raw in readable]
        for raw, features in zip(readable, await served.enricher.enrich(rows), strict=True):
            raw["features"] = features

    def _check(self, served: ServedTask, number: int, raw: Json) -> tuple[str | None, bytes]:
        """Check one record, and return its key and its bytes; Problem 422, with the number of the record, if it is wrong."""
        which = f"{self.noun} {number}"
        if not isinstance(raw, dict):
            raise Problem(422, "not_an_object", f"{which} is not a JSON object.", self.shape)
        key = raw.pop("key", None)
        if key is not None and not (isinstance(key, str) and 1 <= len(key) <= 256):
            raise Problem(422, "key", f"{which}: the key is not a string of 1 to 256 characters.", "Send a string.")
        value = msgspec.json.encode(raw)
        try:
            record = served.reader.read_record(value)
        except RecordError as error:
            raise Problem(422, error.code, f"{which}: {error.what}", error.remedy) from None
        if not isinstance(record, Record) or not self.is_wanted(record, served.task):
            raise Problem(422, "incomplete", f"{which} is none.", self.shape)
        if record.source is not UNSET and record.source.partition("/")[0] in served.sources:
            detail = f"{which}: its source is a topic that the workers bring in themselves."
            raise Problem(422, "source", detail, "Leave it out, or name where this record is from.")
        return key or self.key_of(record), value

    @staticmethod
    def is_wanted(record: Record, task: Task) -> bool:
        """Say whether a record is a sample: it has features, and a label where the task needs one."""
        return record.features is not UNSET and (record.label is not UNSET or task.kind == "anomaly")

    @staticmethod
    def key_of(record: Record) -> str | None:
        """Return the key of a record that was sent without one: a sample has none, unless its label comes later, to the shard of its id."""
        return record.id if record.label is UNSET and record.id is not UNSET else None

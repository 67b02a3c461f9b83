"""`POST /v1/{task}/labels`: append the labels of questions to the event log."""

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from headrace.app.answers import Appended
from headrace.app.contract import TaskLabel, contract
from headrace.app.serving.question import BATCH_MAX
from headrace.app.views.samples import Samples
from headrace.learning.records import Id, Record, SourcePosition, Time
from headrace.learning.task import Task


class Label(msgspec.Struct, forbid_unknown_fields=True):
    """The label for the question with this id; optionally its time in epoch seconds, and the key of the question, if it had one."""

    id: Id
    label: TaskLabel
    time: Time | UnsetType = UNSET
    source: SourcePosition | UnsetType = UNSET
    key: Id | UnsetType | None = UNSET


Many = Annotated[list[Label], msgspec.Meta(min_length=1, max_length=BATCH_MAX)]


class Labels(Samples):
    """Appends labels for logged questions. A label goes to the shard of its question by the same key, or by the id."""

    noun = "label"
    shape = 'Send {"id": ..., "label": ...}, and the key of the question if it had one.'

    @contract(role="feedback", takes=Label | Many, gives=Appended, status=202, problems=(413, 422, 503))
    async def post(self, request: web.Request, task: str) -> web.Response:
        """Check one label or a list, append them, and answer 202 with their positions when the broker has acknowledged them."""
        return await self._append(request, task)

    @staticmethod
    def is_wanted(record: Record, task: Task) -> bool:  # noqa: ARG004 every kind of record is asked alike
        """Say whether a record is a label: it has an id and a label, and no features."""
        return record.features is msgspec.UNSET

    @staticmethod
    def key_of(record: Record) -> str | None:
        """Return the id, which decides the shard of a label whose question had no key."""
        return None if record.id is msgspec.UNSET else record.id

"""`GET /v1/{task}/quarantine`: the last refused records of a task, and how many there are for each reason."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Annotated

import msgspec
from aiohttp import web
from aiokafka.errors import KafkaError

from headrace.agents.shards import Shards
from headrace.app.answers import SentAgain, StoredRefusal, StoredRefusals
from headrace.app.contract import contract
from headrace.app.errors import Problem
from headrace.app.views.resource import Resource
from headrace.learning.codes import REFUSALS
from headrace.learning.plain import plain_kind
from headrace.tables.kafka.latest import read_latest
from headrace.tables.refused import RefusedRecord, source_of

LIMIT_MAX = 1_000
LIMIT = 100
"""How many records are shown if the request does not say."""

READ_BYTES = 16 << 20
"""About how many bytes of records a request reads: no more are read from then on."""

READ_SECONDS = 10.0

Limit = Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)]


class Quarantine(Resource):
    """The refused records of a task.

    They are what other callers have sent, whole and in bulk. A key that may ask questions is in many hands, so the route takes `admin`;
    `GET /metrics` has the counts alone.
    """

    @contract(role="admin", gives=StoredRefusals, problems=(422, 503), parameters={"limit": Limit})
    async def get(self, request: web.Request, task: str) -> web.Response:
        """List the last refused records, newest first, and count the reasons of the last 1,000."""
        served, limit = self.serving.task(task), limit_of(request)
        topic, partitions = f"{task}.quarantine", range(served.task.partitions)
        try:
            async with asyncio.timeout(READ_SECONDS):
                latest = await read_latest(self.serving.brokers, topic, partitions, LIMIT_MAX, most_bytes=READ_BYTES)
        except (KafkaError, OSError) as error:
            detail = f"the quarantine cannot be read: {plain_kind(error)}."
            raise Problem(503, "broker", detail, "Ask again in a second.", {"Retry-After": "1"}) from None
        records = [RefusedRecord.of(message) for message in latest.messages]
        counts = Counter(record.code for record in records)
        shown = [StoredRefusal.of(record) for record in records[:limit]]
        sent_again = list(describe_sent(task, served.shards))
        return self.answer(StoredRefusals(dict(counts.most_common()), len(records), latest.kept, shown, sent_again))


def limit_of(request: web.Request) -> int:
    """Read `limit` from a request; Problem 422 if it is not a whole number from 1 to `LIMIT_MAX`."""
    text = request.query.get("limit", str(LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 8 and 1 <= int(text) <= LIMIT_MAX):
        detail = f"limit={text[:20]} is not a whole number from 1 to {LIMIT_MAX}."
        raise Problem(422, "limit", detail, f"Send ?limit={LIMIT}, or nothing.")
    return int(text)


def describe_sent(task: str, shards: Shards) -> Iterator[SentAgain]:
    """Yield how far the records of each code were sent again, by the states of the shards that this worker knows."""
    for partition, learner in shards.folded():
        for code in REFUSALS:
            for stored_in in range(shards.task.partitions):
                last = learner.state.sources.get(f"{source_of(task, code)}/{stored_in}")
                if last is not None:
                    yield SentAgain(code, partition, stored_in, *last)

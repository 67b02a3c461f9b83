"""`PUT`, `GET` and `DELETE /v1/{task}/features/{key}`: the stored features of an entity."""

import asyncio
import time
from typing import Annotated

import msgspec
from aiohttp import web
from aiokafka.errors import KafkaError

from headrace.app.answers import Appended, At, StoredEntity
from headrace.app.contract import StoredFeatures as OfEntity
from headrace.app.contract import contract
from headrace.app.encodings import read_body
from headrace.app.errors import Problem
from headrace.app.serving.request_appender import APPEND_SECONDS
from headrace.app.views.resource import Resource
from headrace.learning.plain import plain, plain_failure, plain_kind
from headrace.learning.records import refuse_duplicate_keys
from headrace.learning.task import Json, Value
from headrace.tables.enricher import Enricher

KEY_MAX = 256
READ_SECONDS = 2.0
"""How long a look-up by this view may take; the look-up of a question has less time."""

decode = msgspec.json.Decoder(dict[str, Json]).decode


Key = Annotated[str, msgspec.Meta(min_length=1, max_length=KEY_MAX)]


class StoredFeatures(Resource):
    """The stored features of one entity."""

    @contract(
        role="feedback",
        takes=OfEntity,
        gives=Appended,
        status=202,
        problems=(404, 422, 503),
        parameters={"key": Key},
    )
    async def put(self, request: web.Request, task: str, key: str) -> web.Response:
        """Replace the stored features by those of the body, a JSON object. Answers 202 with the position when the broker has acknowledged them."""
        enricher = self._enricher(task, key)
        body = await read_body(request)
        try:
            loose = decode(body)
        except msgspec.ValidationError:
            detail = "the body is not a JSON object."
            raise Problem(422, "not_an_object", detail, 'Send {"name": value, ...}.') from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            detail = f"the body is not JSON: {plain(error)}."
            raise Problem(400, "not_json", detail, "Send JSON with finite numbers.") from None
        refuse_duplicate_keys(body)
        for name in loose:
            enricher.schema.check_name(name)
        features: dict[str, Value] = {name: value for name, value in loose.items() if value is not None}
        for name, value in features.items():
            enricher.schema.check(name, value)
        return await self._write(enricher, key, features)

    @contract(role="predict", gives=StoredEntity, problems=(404, 422, 503), parameters={"key": Key})
    async def get(self, request: web.Request, task: str, key: str) -> web.Response:  # noqa: ARG002
        """Return the stored features as a look-up gives them now, with the age of each value in seconds. A value that cannot be read is null."""
        store = self._enricher(task, key).store
        try:
            (entity,) = await asyncio.wait_for(store.read([key]), READ_SECONDS)
        except Exception as error:
            detail = f"the feature store does not answer: {plain_kind(error)}."
            raise Problem(503, "store", detail, "See headrace doctor.", {"Retry-After": "1"}) from error
        if entity is None:
            raise Problem(
                404, "unknown_entity", "nothing is stored of this entity, or not any more.", "PUT its features."
            )
        age = None if entity.time is None else round(time.time() - entity.time, 3)
        values = {name: {"value": value, "age_s": age} for name, value in entity.features.items()}
        return self.answer({"key": key, "features": values})

    @contract(role="feedback", gives=Appended, status=202, problems=(404, 422, 503), parameters={"key": Key})
    async def delete(self, request: web.Request, task: str, key: str) -> web.Response:  # noqa: ARG002
        """Remove the stored features, if there are any. Answers 202 with the position when the broker has acknowledged the removal."""
        return await self._write(self._enricher(task, key), key, None)

    def _enricher(self, task: str, key: str) -> Enricher:
        served = self.serving.task(task)
        if served.enricher is None:
            detail = f"task '{task}' has no stored features."
            raise Problem(404, "no_stored_features", detail, f"Declare them: [tasks.{task}.stored] in headrace.toml.")
        if not 1 <= len(key) <= KEY_MAX:
            raise Problem(422, "key", f"the key has {len(key)} characters.", f"Use 1 to {KEY_MAX}.")
        return served.enricher

    async def _write(self, enricher: Enricher, key: str, features: dict[str, Value] | None) -> web.Response:
        try:
            offset = await asyncio.wait_for(enricher.store.write(key, features), APPEND_SECONDS)
        except (KafkaError, OSError) as error:
            detail = f"the broker did not take it: {plain_failure(error)}. It may be in the topic."
            raise Problem(503, "broker", detail, "Send it again: it replaces itself.", {"Retry-After": "1"}) from None
        return self.answer(Appended([At(0, offset)]), status=202)

"""`POST /v1/{task}/predict` and `/predict/batch`: ask the model."""

from typing import Annotated

import msgspec
from aiohttp import web

from headrace.app.answers import Answer
from headrace.app.contract import contract
from headrace.app.encodings import read_body
from headrace.app.errors import Problem
from headrace.app.views.owner import Asked
from headrace.app.views.serving import BATCH_MAX, Question, Resource, explain
from headrace.learning.records import refuse_duplicate_keys

Questions = Annotated[list[Question], msgspec.Meta(max_length=BATCH_MAX)]

FRESH = {"fresh": bool}
"""Whether only the owner of the shard may answer."""

decode_one = msgspec.json.Decoder(Question).decode
decode_many = msgspec.json.Decoder(list[Question]).decode


class Predict(Resource):
    """One question, one answer."""

    @contract(role="predict", takes=Question, gives=Answer, problems=(409, 422, 503), parameters=FRESH)
    async def post(self, request: web.Request, task: str) -> web.Response:
        """Answer from the furthest model of the shard that the key falls in, or as `fresh` and `min_position` ask."""
        serving = self.serving
        served = serving.task(task)
        body = await read_body(request)
        (answer,) = await serving.answer(served, (read_question(body),), Asked.of(request))
        return self.answer(answer)


class PredictBatch(Resource):
    """Several questions, as many answers, in their order."""

    @contract(role="predict", takes=Questions, gives=list[Answer], problems=(409, 422, 503), parameters=FRESH)
    async def post(self, request: web.Request, task: str) -> web.Response:
        """Answer up to a thousand questions, or refuse them all for the first that is wrong."""
        serving = self.serving
        served = serving.task(task)
        body = await read_body(request)
        try:
            questions = decode_many(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise explain(body, error, many=True) from None
        if len(questions) > BATCH_MAX:
            raise Problem(422, "too_many", f"{len(questions)} questions in one batch.", f"Send up to {BATCH_MAX}.")
        if body.count(b":") != sum(map(_keys, questions)):
            refuse_duplicate_keys(body)
        return self.answer(await serving.answer(served, questions, Asked.of(request)))


def read_question(body: bytes) -> Question:
    """The question that a body holds; a Problem that says what is wrong with it."""
    try:
        question = decode_one(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise explain(body, error) from None
    if body.count(b":") != _keys(question):
        refuse_duplicate_keys(body)
    return question


def _keys(question: Question) -> int:
    beside = (question.id, question.key, question.min_position, question.wait_s)
    return 1 + len(question.features) + sum(part is not msgspec.UNSET for part in beside) + (question.log is not False)

"""`POST /v1/{task}/predict` and `/predict/batch`: answers questions."""

from typing import Annotated

import msgspec
from aiohttp import web

from headrace.app.answers import Answer
from headrace.app.caller import CALLER, Caller
from headrace.app.contract import contract
from headrace.app.encodings import read_body
from headrace.app.errors import Problem
from headrace.app.serving.question import BATCH_MAX, Asked, Question, read_question, read_questions
from headrace.app.views.resource import Resource

Questions = Annotated[list[Question], msgspec.Meta(max_length=BATCH_MAX)]

FRESH = {"fresh": bool}
"""The query parameter that lets only the owner of the shard answer."""


class Predict(Resource):
    """Answers one question."""

    @contract(role="predict", takes=Question, gives=Answer, problems=(409, 422, 503), parameters=FRESH)
    async def post(self, request: web.Request, task: str) -> web.Response:
        """Answer from the furthest model of the key's shard on this worker, or from a newer one if `fresh` or `min_position` ask for it."""
        serving = self.serving
        served = serving.task(task)
        body = await read_body(request)
        (answer,) = await serving.answer(served, (read_question(body),), asked_by(request))
        return self.answer(answer)


class PredictBatch(Resource):
    """Answers several questions, in order."""

    @contract(role="predict", takes=Questions, gives=list[Answer], problems=(409, 422, 503), parameters=FRESH)
    async def post(self, request: web.Request, task: str) -> web.Response:
        """Answer up to a thousand questions, or refuse them all if one cannot be answered."""
        serving = self.serving
        served = serving.task(task)
        body = await read_body(request)
        return self.answer(await serving.answer(served, read_questions(body), asked_by(request)))


def asked_by(request: web.Request) -> Asked:
    """Read `fresh` and the caller from a request; Problem 422 if `fresh` is neither true nor false."""
    fresh = request.query.get("fresh", "false") if request.rel_url.raw_query_string else "false"
    if fresh not in ("true", "false"):
        raise Problem(422, "fresh", f"fresh={fresh[:20]} is neither true nor false.", "Send ?fresh=true, or nothing.")
    return Asked(fresh == "true", request.get(CALLER) or Caller())

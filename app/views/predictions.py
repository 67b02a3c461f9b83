"""`GET /v1/{task}/predictions`: the last answers of this worker."""

import msgspec
from aiohttp import web

from headrace.app.answers import Answer
from headrace.app.contract import contract
from headrace.app.views.resource import Resource


class LastAnswer(msgspec.Struct, frozen=True):
    """An answer, and when it was given, in seconds since the epoch by the clock of the worker."""

    time: float
    answer: Answer


class LastAnswers(msgspec.Struct, frozen=True):
    """The last answers, newest first."""

    answers: list[LastAnswer]


class Predictions(Resource):
    """The last answers of this worker to the questions of a task."""

    @contract(role="predict", gives=LastAnswers)
    async def get(self, request: web.Request, task: str) -> web.Response:  # noqa: ARG002
        """List the last 50 answers of this worker, newest first. Nothing of them is kept on disk."""
        answers = [{"time": at, "answer": answer} for at, answer in reversed(self.serving.task(task).last_answers)]
        return self.answer({"answers": answers})

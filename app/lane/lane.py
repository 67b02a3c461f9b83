"""Answers requests for predictions from their bytes, or leaves them to the ordinary way."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import msgspec
from aiohttp import web
from aiohttp.http import RawRequestMessage

from headrace.app.doors import Doors, Headers, Pass
from headrace.app.errors import REFUSALS, answer_defect, answer_refusal
from headrace.app.lane.hot_routes import HotRoute, hot_routes, is_plain
from headrace.app.lane.now import run_now
from headrace.app.lane.response import write_answer, write_refusal
from headrace.app.request_id import HEADER, Scope
from headrace.app.serving.question import Asked, Question, read_question, read_questions
from headrace.app.serving.serving import Serving
from headrace.app.tracing import OpenTelemetry

encode = msgspec.json.Encoder().encode

BODY_MAX = 65_536
"""The largest body that is waited for, in bytes. The rest of a larger one comes so slowly that the ordinary way takes little in comparison."""


class Admitted(NamedTuple):
    """The questions of a request that is answered in the lane, and its pass."""

    questions: Sequence[Question]
    passing: Pass


class Lane:
    """Answers requests of the hot routes, if no answer has to wait for anything.

    A request is first looked at, which changes and counts nothing. If the doors would refuse it, if its body is no question, or if its answer
    has to wait (for another worker, for the broker, for a remote feature store, for a position), it is left to the ordinary way. Otherwise it
    is counted and answered here, even if the answer turns out to be a refusal.

    Parameters
    ----------
    serving
        Answers the questions.
    doors
        Admit the requests.
    body_limit
        The largest body, in bytes.
    tracing
        Makes a span for each request; None if there are no traces.

    Attributes
    ----------
    answered
        The number of requests answered here.
    """

    def __init__(self, serving: Serving, doors: Doors, body_limit: int, tracing: OpenTelemetry | None = None):
        self.serving, self.doors, self.body_limit, self.tracing = serving, doors, body_limit, tracing
        self.answered = 0
        self._routes = hot_routes(serving.tasks, doors)

    def find_route(self, message: RawRequestMessage) -> HotRoute | None:
        """Return the hot route of a parsed head; None if there is none, or if the head is not plain."""
        found = self._routes.get(message.path)
        return found if found is not None and is_plain(message) else None

    def may_wait(self, hot: HotRoute, message: RawRequestMessage) -> bool:
        """Say whether to wait for the rest of a body: it is small, and the doors would not refuse the request before they have read it."""
        length = message.headers.get("Content-Length", "")
        return (
            len(length) <= len(str(BODY_MAX))
            and int(length or 0) <= min(BODY_MAX, self.body_limit)
            and self.doors.find_pass(message.headers, hot.contract) is not None
        )

    def answer(self, hot: HotRoute, message: RawRequestMessage, body: bytes) -> bytes | None:
        """Answer a request, and return the bytes of the response; None, if the request is left to the ordinary way."""
        try:
            admitted = self._admit(hot, message.headers, body)
        except Exception:  # noqa: BLE001 the ordinary way meets the same error, and answers it
            return None
        if admitted is None:
            return None
        admitted.passing.use()
        self.answered += 1
        with Scope(message.headers.get(HEADER)) as scope, self._trace(hot, message) as note_status:
            response = self._answer(hot, message, admitted)
            if isinstance(response, bytes):
                note_status(200)
                return write_answer(scope.id, response)
            note_status(response.status)
            return write_refusal(scope.id, response)

    def _admit(self, hot: HotRoute, headers: Headers, body: bytes) -> Admitted | None:
        """Return what is to be answered here; None, or any exception, if it is not."""
        passing = self.doors.find_pass(headers, hot.contract)
        if passing is None or len(body) > self.body_limit:
            return None
        questions = read_questions(body) if hot.is_batch else (read_question(body),)
        if not self.serving.is_at_hand(hot.served, questions):
            return None
        return Admitted(questions, passing)

    def _answer(self, hot: HotRoute, message: RawRequestMessage, admitted: Admitted) -> bytes | web.Response:
        """Return the body of the answer, or the response with a problem document."""
        try:
            asked = Asked(caller=admitted.passing.caller)
            answers = run_now(self.serving.answer(hot.served, admitted.questions, asked))
            return encode(answers if hot.is_batch else answers[0])
        except REFUSALS as refusal:
            return answer_refusal(refusal)
        except Exception as error:  # noqa: BLE001 it is logged
            return answer_defect(message.path, error)

    def _trace(self, hot: HotRoute, message: RawRequestMessage) -> AbstractContextManager[Callable[[int], object]]:
        return UNTRACED if self.tracing is None else self.tracing.span_of(message.method, hot.route, message.headers)


def _note_nothing(_status: int) -> None:
    """Take the status of a request that has no span."""


UNTRACED = nullcontext(_note_nothing)

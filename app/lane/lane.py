"""Answers requests for predictions from their bytes, or leaves them to the ordinary way."""

from collections.abc import Mapping, Sequence

import msgspec
from aiohttp import web
from aiohttp.http import RawRequestMessage

from headrace.agents.shards import Model
from headrace.app.doors import Doors
from headrace.app.errors import REFUSALS, answer_defect, answer_refusal
from headrace.app.lane.hot_routes import hot_routes, is_plain
from headrace.app.lane.known_heads import END, KnownHead, KnownHeads
from headrace.app.lane.response import write_answer, write_refusal
from headrace.app.request_id import HEADER, Scope
from headrace.app.serving.question import Asked, Question, read_question, read_questions
from headrace.app.serving.serving import Serving, models_at_hand
from headrace.app.tracing import OpenTelemetry

encode = msgspec.json.Encoder().encode

BODY_MAX = 65_536
"""The largest body that is waited for, in bytes. The rest of a larger one comes so slowly that the ordinary way takes little in comparison."""

NO_HEADERS: Mapping[str, str] = {}


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
    heads
        The heads that were parsed before.
    """

    def __init__(self, serving: Serving, doors: Doors, body_limit: int, tracing: OpenTelemetry | None = None):
        self.serving, self.doors, self.body_limit, self.tracing = serving, doors, body_limit, tracing
        self.answered = 0
        self.heads = KnownHeads(has_keys=doors.is_guarded)
        self._routes = hot_routes(serving.tasks, doors)

    def read_head(self, message: RawRequestMessage) -> KnownHead | None:
        """Return what a parsed head means; None if the route is not hot, the head is not plain, or the doors would not admit the request."""
        hot = self._routes.get(message.path)
        if hot is None or not is_plain(message):
            return None
        passing = self.doors.find_pass(message.headers, hot.contract)
        length = int(message.headers.get("Content-Length", 0))
        if passing is None or length > self.body_limit:
            return None
        return KnownHead(hot, passing, Asked(caller=passing.caller), length, len(message.raw_headers))

    def answer_again(self, data: bytes) -> bytes | None:
        """Answer bytes that are one whole request with a known head; None for all others."""
        end = data.find(END) + len(END)
        known = self.heads.find(data[:end])
        if known is None or len(data) != end + known.length:
            return None
        return self.answer(known, data[end:])

    def answer(self, known: KnownHead, body: bytes, message: RawRequestMessage | None = None) -> bytes | None:
        """Answer a request, and return the bytes of the response; None, if the request is left to the ordinary way.

        Parameters
        ----------
        known
            What the head means.
        body
            The whole body.
        message
            The parsed head; None if it has no header that is different in each request.
        """
        served, passing = known.hot.served, known.passing
        if not passing.is_valid():
            return None
        try:
            questions = read_questions(body) if known.hot.is_batch else (read_question(body),)
        except Exception:  # noqa: BLE001 the ordinary way meets the same error, and answers it
            return None
        models = models_at_hand(served, questions, known.asked)
        if models is None:
            return None
        passing.use()
        self.answered += 1
        headers = NO_HEADERS if message is None else message.headers
        with Scope(headers.get(HEADER)) as scope:
            if self.tracing is None:
                response = self._answer(known, questions, models)
            else:
                with self.tracing.span_of("POST", known.hot.route, headers) as note_status:
                    response = self._answer(known, questions, models)
                    note_status(response.status if isinstance(response, web.Response) else 200)
        return write_answer(scope.id, response) if isinstance(response, bytes) else write_refusal(scope.id, response)

    def _answer(self, known: KnownHead, questions: Sequence[Question], models: Sequence[Model]) -> bytes | web.Response:
        """Return the body of the answer, or the response with a problem document."""
        hot = known.hot
        try:
            answers = self.serving.answer_now(hot.served, questions, models, known.asked)
            return encode(answers if hot.is_batch else answers[0])
        except REFUSALS as refusal:
            return answer_refusal(refusal)
        except Exception as error:  # noqa: BLE001 it is logged
            return answer_defect(hot.path, error)

"""Turns errors of requests into RFC 9457 problem documents: the one place where HTTP answers of refusals are made."""

import logging
from collections.abc import Mapping
from typing import Annotated

import msgspec
import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError

from headrace.app.problems import PROBLEMS, ProblemCode
from headrace.app.request_id import Handler, current
from headrace.app.serving.refused import Kind, RequestRefused
from headrace.learning.errors import RecordError
from headrace.learning.plain import plain_failure

log = structlog.get_logger()

UNREADABLE = (HttpProcessingError, web.RequestPayloadError)
"""The errors for a request that cannot be read."""


SEND_LESS = "Send less at a time, or raise worker.body_limit in headrace.toml."
"""The remedy for a body that is too large."""


ROUTING: dict[int, ProblemCode] = {404: "not_found", 405: "method_not_allowed"}
"""The codes of requests that aiohttp refuses by itself, by status."""

STATUSES: Mapping[Kind, int] = {
    "malformed": 400,
    "unknown": 404,
    "conflict": 409,
    "too_large": 413,
    "invalid": 422,
    "throttled": 429,
    "unavailable": 503,
}
"""The HTTP status of each kind of refusal."""

RETRY = {"Retry-After": "1"}

Code = Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted({code for _, code in PROBLEMS})})]
"""The code of a problem. The OpenAPI document lists all codes."""


class ProblemDocument(msgspec.Struct, frozen=True):
    """The body of a refusal: `code` is for programs and stable; `detail` says what is wrong, `remedy` what to do. The log has `request_id` too."""

    status: int
    code: Code
    detail: str
    remedy: str
    type: str = "about:blank"
    request_id: str | msgspec.UnsetType = msgspec.UNSET


class Problem(Exception):
    """The refusal of an HTTP request.

    Parameters
    ----------
    status
        The HTTP status.
    code
        The code, which is stable and for programs. `PROBLEMS` has a row for the status and the code.
    detail
        Says what is wrong and why, for people.
    remedy
        Says what to do.
    headers
        Further headers of the answer. `Connection: close` closes the connection after the answer.
    """

    def __init__(
        self, status: int, code: ProblemCode, detail: str, remedy: str = "", headers: dict[str, str] | None = None
    ):
        super().__init__(detail)
        self.status, self.code, self.detail, self.remedy = status, code, detail, remedy
        self.headers = headers or {}

    @classmethod
    def of(cls, refused: RequestRefused) -> "Problem":
        """Make a problem from a refusal.

        Examples
        --------
        >>> problem = Problem.of(RequestRefused("conflict", "not_yet", "shard 0 is at position 3.", "Ask again.", retry=True))
        >>> problem.status, problem.code, problem.headers
        (409, 'not_yet', {'Retry-After': '1'})
        """
        headers = RETRY if refused.retry else None
        return cls(STATUSES[refused.kind], refused.code, refused.what, refused.remedy, headers)

    def response(self) -> web.Response:
        """Make the HTTP response with the problem document."""
        request_id = current() or msgspec.UNSET
        detail = self.detail.encode(
            errors="replace"
        ).decode()  # bytes of a header that are no UTF-8 may be quoted in it
        body = ProblemDocument(self.status, self.code, detail, self.remedy, request_id=request_id)
        response = web.Response(
            status=self.status,
            body=msgspec.json.encode(body),
            content_type="application/problem+json",
            headers=self.headers,
        )
        if self.headers.get("Connection") == "close":
            response.force_close()
        return response


REFUSALS = (Problem, RequestRefused, RecordError)
"""The refusals that views and the core of answering raise."""


def is_worth_logging(record: logging.LogRecord) -> bool:
    """Filter aiohttp's log lines: leave out those about a request that cannot be read.

    The client gets this error as its answer. The log line would quote the request, which may contain an API key.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], UNREADABLE))


def answer_refusal(refusal: Problem | RequestRefused | RecordError) -> web.Response:
    """Answer a refusal with a problem document."""
    if isinstance(refusal, RequestRefused):
        refusal = Problem.of(refusal)
    elif isinstance(refusal, RecordError):
        refusal = Problem(422, refusal.code, refusal.what, refusal.remedy)
    return refusal.response()


def answer_defect(path: str, error: Exception) -> web.Response:
    """Log an unexpected exception, and answer with a problem document that says nothing about it."""
    log.error("a request failed", path=path, exc_info=error)
    return Problem(500, "defect", "the request met a defect of the server.", "Look at the worker's log.").response()


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every refusal and every failure with a problem document."""
    try:
        return await handler(request)
    except REFUSALS as refusal:
        return answer_refusal(refusal)
    except web.HTTPRequestEntityTooLarge as error:
        return Problem(413, "too_large", error.text or "the body is too large.", SEND_LESS).response()
    except UNREADABLE as error:
        detail = f"the body cannot be read: {plain_failure(error)[:200]}."
        return Problem(400, "body", detail, "Send what the headers say.").response()
    except web.HTTPException as error:
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        remedy = 'See "Routes" in docs/reference.md.'
        detail = f"{request.method} {request.path}: {error.reason}."
        return Problem(error.status, ROUTING.get(error.status, "no_request"), detail, remedy, allowed).response()
    except Exception as error:  # noqa: BLE001 it is logged
        return answer_defect(request.path, error)

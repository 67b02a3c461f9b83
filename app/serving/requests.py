"""Answers questions that come over Kafka: gives the answers of `POST /v1/{task}/predict` as lines for `<task>.predictions`."""

import asyncio
from collections.abc import Sequence
from time import monotonic

import msgspec
import structlog

from headrace.agents.requests import Answerer, refusal
from headrace.app.caller import OVER_KAFKA
from headrace.app.problems import ProblemCode
from headrace.app.serving.question import Asked, Question, read_question
from headrace.app.serving.refused import RequestRefused
from headrace.app.serving.served_task import Answered, ServedTask
from headrace.app.serving.serving import Serving
from headrace.learning.errors import HeadraceError

log = structlog.get_logger()

ID_MAX = 256

SETTLING: set[ProblemCode] = {"opening", "no_owner", "owner_unreachable"}
"""Codes of temporary refusals: the worker has just started, or the shards are moving."""

PATIENCE_SECONDS = 30.0
RETRY_SECONDS = 0.5


def answering(serving: Serving, served: ServedTask) -> Answerer:
    """Return the function that answers the requests of a task: each line with an answer, or with a refusal that has the question's id."""

    async def answer(lines: Sequence[tuple[str, bytes]]) -> Sequence[bytes]:
        return await asyncio.gather(*(one(*line) for line in lines))

    async def patiently(question: Question) -> list[Answered]:
        """Answer a question, and try again for a while after a temporary refusal: over Kafka no caller repeats a question."""
        until = monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return await serving.answer(served, (question,), Asked(caller=OVER_KAFKA))
            except RequestRefused as refused:
                if refused.code not in SETTLING or monotonic() > until:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    async def one(place: str, line: bytes) -> bytes:
        try:
            question = read_question(line)
            if question.id is msgspec.UNSET:
                question.id = place
            (answered,) = await patiently(question)
            parts = answered if isinstance(answered, dict) else msgspec.json.decode(answered)
            return msgspec.json.encode({"effect": "answered"} | parts)
        except HeadraceError as error:
            return refusal(_id_of(line), error.code, error.what, error.remedy)
        except Exception:  # one request must not hold up the requests after it
            log.exception("a request failed", task=served.task.name)
            detail = "the request met a defect of the server."
            return refusal(_id_of(line), "defect", detail, "Look at the worker's log.")

    return answer


def _id_of(line: bytes) -> str | None:
    """Return the id of a refused question, or None if it has no valid id."""
    try:
        loose = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    record_id = loose.get("id") if isinstance(loose, dict) else None
    return record_id if isinstance(record_id, str) and len(record_id) <= ID_MAX else None

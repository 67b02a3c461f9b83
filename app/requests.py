"""Answers to questions that are asked over Kafka: what `POST /v1/{task}/predict` would say, as lines of `<task>.predictions`."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from agents.requests import Answer
from app.errors import Problem
from app.views.owner import Asked
from app.views.predict import read_question
from app.views.serving import ServedTask, Serving
from learning.errors import HeadraceError

log = structlog.get_logger()


def answering(serving: Serving, served: ServedTask) -> Answer:
    """What answers the requests of a task: each line an answer, or a refusal with the id of the question, where it has one."""

    async def answer(lines: Sequence[bytes]) -> Sequence[bytes]:
        return await asyncio.gather(*(one(line) for line in lines))

    async def one(line: bytes) -> bytes:
        told: dict[str, Any]
        try:
            (given,) = await serving.answer(served, (read_question(line),), Asked())
            found = given if isinstance(given, dict) else msgspec.json.decode(given)
            told = {"effect": "answered"} | found
        except Problem as problem:
            told = _refused(line, problem.code, problem.detail, problem.remedy)
        except HeadraceError as error:
            told = _refused(line, error.code, error.what, error.remedy)
        except Exception:  # one request must not hold up those behind it
            log.exception("a request failed", task=served.task.name)
            told = _refused(line, "defect", "the request met a defect of the server.", "Look at the worker's log.")
        return msgspec.json.encode(told)

    return answer


def _refused(line: bytes, code: str, detail: str, remedy: str) -> dict[str, Any]:
    try:
        loose = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        loose = None
    name = loose.get("id") if isinstance(loose, dict) else None
    return {
        "effect": "refused",
        "id": name if isinstance(name, str) else None,
        "code": code,
        "detail": detail,
        "remedy": remedy,
    }

"""Asking a worker over HTTP, from the command line."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from learning.errors import HeadraceError


class AnswerError(HeadraceError):
    """A worker refused, or could not be reached."""

    code = "answer"


def ask(address: str, method: str, path: str, body: Any = None, timeout: float = 10.0) -> Any:
    """The JSON that a worker answers with; AnswerError with its reason otherwise."""
    where = urlsplit(address)
    secure = where.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(where.hostname or "127.0.0.1", where.port or (443 if secure else 80), timeout=timeout)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise AnswerError(f"no worker answers at {address}: {error}.", "Start one: headrace worker.") from None
    finally:
        connection.close()
    try:
        told = json.loads(content)
    except ValueError:
        raise AnswerError(f"{address} answered something else than JSON.", "Is it a Headrace worker?") from None
    if response.status >= 400:
        raise AnswerError(f"{told.get('detail', response.reason)}", told.get("remedy", ""))
    return told

"""Asking a worker over HTTP, from the command line."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from headrace.app.settings import Settings
from headrace.learning.errors import HeadraceError

KEY_REMEDIES = {
    "no_key": "Set HEADRACE_KEY.",
    "unknown_key": "Set HEADRACE_KEY to a key that the worker knows (a worker reads its keys when it starts).",
}
"""What to do about these codes of a worker, which tells a client of HTTP of headers instead."""


class AnswerError(HeadraceError):
    """A worker refused, or could not be reached."""

    code = "answer"


def ask(settings: Settings, method: str, path: str, body: Any = None, timeout: float = 10.0) -> Any:
    """The JSON that a worker answers with; AnswerError with its reason otherwise.

    The key to show is in HEADRACE_KEY; the certificate must be signed by `worker.tls.ca`, or by one that the system trusts.
    """
    address, access = settings.address, settings.access()
    where = urlsplit(address)
    host = where.hostname or "127.0.0.1"
    connection = (
        http.client.HTTPSConnection(host, where.port or 443, timeout=timeout, context=access.tls)
        if where.scheme == "https"
        else http.client.HTTPConnection(host, where.port or 80, timeout=timeout)
    )
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json", **access.headers})
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise AnswerError(f"no worker answers at {address}: {error}.", "Start one: headrace worker.") from None
    finally:
        connection.close()
    try:
        told = json.loads(content)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise AnswerError(f"{address} answered something else than a JSON object.", "Is it a Headrace worker?")
    if response.status >= 400:
        remedy = KEY_REMEDIES.get(str(told.get("code"))) or str(told.get("remedy", ""))
        raise AnswerError(f"{told.get('detail', response.reason)}", remedy)
    return told

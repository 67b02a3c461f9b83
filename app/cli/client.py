"""Asking a worker over HTTP, from the command line."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from app.access import Access
from app.settings import Settings
from learning.errors import HeadraceError

MISDIRECTED = 421
"""Another worker owns the shard; its address is in `Location`."""


class AnswerError(HeadraceError):
    """A worker refused, or could not be reached."""

    code = "answer"


def ask(settings: Settings, method: str, path: str, body: Any = None, timeout: float = 10.0) -> Any:
    """The JSON that a worker answers with, or the owner of the shard that it names; AnswerError with its reason otherwise.

    The key to show is in HEADRACE_KEY; the certificate must be signed by `worker.tls.ca`, or by one that the system trusts.
    """
    return ask_at(settings.address, settings.access(), method, path, body=body, timeout=timeout)


def ask_at(address: str, access: Access, method: str, path: str, *, body: Any, timeout: float) -> Any:
    """As `ask`, of the worker at an address."""
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
        raise AnswerError(f"{address} answered something else than JSON.", "Is it a Headrace worker?") from None
    if response.status == MISDIRECTED and (owner := response.headers.get("Location")) and owner != address:
        return ask_at(owner, access, method, path, body=body, timeout=timeout)
    if response.status >= 400:
        raise AnswerError(f"{told.get('detail', response.reason)}", told.get("remedy", ""))
    return told

"""The id of a request: taken from its `X-Request-Id` or made, and shown in the answer, in a problem document and in the log."""

import os
import random
import re
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from typing import Self

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADER = "X-Request-Id"

FORM = re.compile(r"[A-Za-z0-9._:/=+-]{1,128}")
"""What an id may be. Another one is replaced: it would go into log lines and headers."""


class Scope:
    """A request that is being answered: as a context manager, it is the request that `current` names.

    A task that outlives the block, such as a connection to the broker, no longer belongs to the request.

    Parameters
    ----------
    shown
        The `X-Request-Id` of the request, if it has one.
    """

    __slots__ = ("_token", "has_ended", "id")

    def __init__(self, shown: str | None):
        self.id, self.has_ended = id_of(shown), False
        self._token: Token[Scope | None] | None = None

    def __enter__(self) -> Self:
        self._token = _scope.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.has_ended = True
        assert self._token is not None
        _scope.reset(self._token)


_scope: ContextVar[Scope | None] = ContextVar("request", default=None)


def current() -> str | None:
    """Return the id of the request that is being answered here; None if there is none."""
    scope = _scope.get()
    return None if scope is None or scope.has_ended else scope.id


_numbers = random.Random()
os.register_at_fork(after_in_child=_numbers.seed)


def new_id() -> str:
    """Return a new id: 64 random bits. Asking the system for each takes as long as the rest of the work for a head."""
    return f"{_numbers.getrandbits(64):016x}"


def id_of(shown: str | None) -> str:
    """Return the id that a request shows, or a new one if that is missing or not of the form.

    Examples
    --------
    >>> id_of("order-7"), len(id_of(None)), id_of("two words") == "two words"
    ('order-7', 16, False)
    """
    return shown if shown is not None and FORM.fullmatch(shown) else new_id()


@web.middleware
async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give a request its id, and show it in the answer."""
    with Scope(request.headers.get(HEADER)) as scope:
        response = await handler(request)
    response.headers[HEADER] = scope.id
    return response

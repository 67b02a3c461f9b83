"""Remembers the heads of requests that have been parsed: most clients send the same head again and again."""

import hashlib
from typing import NamedTuple

from aiohttp.http import RawRequestMessage

from headrace.app.doors import Pass
from headrace.app.lane.hot_routes import HotRoute
from headrace.app.request_id import HEADER
from headrace.app.serving.question import Asked

HEADS_MAX = 2_048
"""The number of heads that are remembered. They differ by client and by the length of the body."""

HEAD_BYTES_MAX = 2_048
"""The largest head that is remembered."""

OWN = (HEADER, "traceparent")
"""Headers that are different in each request: a head with one of them is not worth remembering."""

END = b"\r\n\r\n"


class KnownHead(NamedTuple):
    """What the bytes of a head mean. The parser has read the same bytes before, so it need not read them again.

    Parameters
    ----------
    hot
        The route.
    passing
        The pass of the key that the head shows. Its bucket is asked for each request.
    asked
        How questions with this head are asked.
    length
        The length of the body.
    lines
        The number of headers.
    """

    hot: HotRoute
    passing: Pass
    asked: Asked
    length: int
    lines: int


class KnownHeads:
    r"""Remembers what heads mean, by their bytes.

    Parameters
    ----------
    has_keys
        Whether heads show keys. Then heads are remembered by their SHA-256: no text of a key stays in memory.

    Examples
    --------
    >>> heads = KnownHeads(has_keys=True)
    >>> heads.find(b"POST / HTTP/1.1\r\n\r\n") is None
    True
    """

    def __init__(self, *, has_keys: bool):
        self._has_keys = has_keys
        self._known: dict[bytes, KnownHead] = {}

    def find(self, head: bytes) -> KnownHead | None:
        """Return what a head means; None if it is new."""
        return self._known.get(hashlib.sha256(head).digest() if self._has_keys else head)

    def remember(self, head: bytes, known: KnownHead, message: RawRequestMessage) -> None:
        """Remember what a head means, unless it is unlikely to come again. When there are too many, all are forgotten."""
        if len(head) > HEAD_BYTES_MAX or any(name in message.headers for name in OWN):
            return
        if len(self._known) >= HEADS_MAX:
            self._known.clear()
        self._known[hashlib.sha256(head).digest() if self._has_keys else head] = known

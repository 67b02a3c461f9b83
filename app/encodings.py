"""Unpacks the compressed body of a request, up to the largest size of a body."""

import asyncio
import gzip
import io
import zlib

from aiohttp import web

from headrace.app.errors import SEND_LESS, Problem
from headrace.learning.plain import plain_failure

CODINGS = ("gzip", "x-gzip", "deflate")
"""The content encodings that a worker understands. By RFC 9110, `x-gzip` is another name of `gzip`."""

ACCEPTED = {"Accept-Encoding": "gzip, deflate"}


async def read_body(request: web.Request) -> bytes:
    """Return the body of a request, unpacked.

    Raises
    ------
    Problem
        400: the body is cut short, or is not packed as Content-Encoding says. 413: the unpacked body is too large. 415: the encoding is
        unknown.
    """
    body = await request.read()
    if "Content-Encoding" not in request.headers:
        return body
    coding = ", ".join(request.headers.getall("Content-Encoding")).strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in CODINGS:
        detail = f"the content encoding '{coding[:80]}' is not understood."
        raise Problem(415, "encoding", detail, "Send gzip or deflate, or the body as it is.", ACCEPTED)
    return await asyncio.to_thread(unpack, body, coding, request.client_max_size)


def unpack(body: bytes, coding: str, limit: int) -> bytes:
    """Unpack a body; a Problem if it is damaged, cut short, followed by other bytes, or has more than `limit` bytes when unpacked.

    Examples
    --------
    >>> unpack(gzip.compress(b"{}") + gzip.compress(b"[]"), "gzip", limit=4)
    b'{}[]'
    >>> unpack(gzip.compress(b"{}")[:-1], "gzip", limit=4)
    Traceback (most recent call last):
    ...
    headrace.app.errors.Problem: the body is not what Content-Encoding says: Compressed file ended before the end-of-stream marker was reached.
    """
    try:
        unpacked = _inflate(body, limit) if coding == "deflate" else _gunzip(body, limit)
    except (OSError, EOFError, zlib.error) as error:
        detail = f"the body is not what Content-Encoding says: {plain_failure(error)}."
        raise Problem(400, "body", detail, "Send what the headers say.") from None
    if len(unpacked) > limit:
        raise Problem(413, "too_large", f"the body has more than {limit} bytes when it is unpacked.", SEND_LESS)
    return unpacked


def _gunzip(body: bytes, limit: int) -> bytes:
    """Unpack all gzip members of a body, up to one byte more than the limit."""
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
        return packed.read(limit + 1)


def _inflate(body: bytes, limit: int) -> bytes:
    """Unpack a body in zlib's format, as RFC 9110 says, or in the raw format that some clients send instead."""
    has_header = body[:1] and body[0] & 0xF == zlib.DEFLATED
    inflater = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
    unpacked = inflater.decompress(body, limit + 1)
    if len(unpacked) <= limit and not inflater.eof:
        raise EOFError("it ends before the stream does")
    if inflater.unused_data:
        raise EOFError("something follows the stream")
    return unpacked

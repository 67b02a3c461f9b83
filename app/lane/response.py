"""Writes responses as aiohttp does: the same status line, headers in the same order, and the body."""

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE

from headrace.app.request_id import HEADER

ANSWER = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{HEADER}: "
SERVER = f"\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"


def write_answer(request_id: str, body: bytes) -> bytes:
    """Write a response with status 200 and a body of JSON."""
    head = f"{ANSWER}{request_id}\r\nContent-Length: {len(body)}\r\nDate: {rfc822_formatted_time()}{SERVER}"
    return head.encode() + body


def write_refusal(request_id: str, response: web.Response) -> bytes:
    """Write the response with a problem document, which leaves the connection open."""
    body = response.body
    assert isinstance(body, bytes)
    ours = {HEADER: request_id, "Content-Length": len(body), "Date": rfc822_formatted_time(), "Server": SERVER_SOFTWARE}
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in (*response.headers.items(), *ours.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

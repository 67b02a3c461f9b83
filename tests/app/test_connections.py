"""Connections with bytes that are no request, come too slowly, or have a compressed body."""

import asyncio
import contextlib
import gzip
import json
import zlib

import pytest
from aiohttp import web

from headrace.app.connections import HEADERS_MAX, Runner
from headrace.app.encodings import read_body
from headrace.app.errors import answer_problems

LIMIT = 1000
QUICK = 0.2
"""Seconds for a head, where it does not come."""

BODY = b'{"features": {"x": 1}}'


async def echo(request):
    return web.Response(body=await read_body(request))


def ask(*pieces, head_seconds=30.0, pause=0.05):
    """Send bytes in pieces, and return all bytes that the server sends until it closes the connection."""

    async def run():
        app = web.Application(middlewares=[answer_problems], client_max_size=LIMIT)
        app.router.add_post("/", echo)
        runner = Runner(app, head_seconds)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        reading = asyncio.create_task(read(reader))
        try:
            for number, piece in enumerate(pieces):
                if number:
                    await asyncio.sleep(pause)
                writer.write(piece)
            return await asyncio.wait_for(reading, 20)
        finally:
            writer.close()
            await runner.cleanup()

    async def read(reader):
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # what was sent after the end was not read
            while piece := await reader.read(65536):
                answer += piece
        return answer

    return asyncio.run(run())


def post(body, *headers, close=True):
    lines = ["POST / HTTP/1.1", "Host: x", *headers, *(["Connection: close"] if close else [])]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def sized(body, *headers, close=True):
    return post(body, f"Content-Length: {len(body)}", *headers, close=close)


def status(answer):
    return int(answer[9:12])


def problem(answer):
    """Return the status and the code of the problem document at the end of a connection."""
    head, _, body = answer.rpartition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer
    document = json.loads(body)
    assert document["status"] == int(head[head.rindex(b"HTTP/1.") + 9 :][:3])
    assert document["remedy"]
    return document["status"], document["code"]


NO_REQUEST = {
    "two lengths": post(BODY, "Content-Length: 3", f"Content-Length: {len(BODY)}"),
    "a length and chunks": post(BODY, "Transfer-Encoding: chunked", f"Content-Length: {len(BODY)}"),
    "no method": b"\x00\x01\r\n\r\n",
    "TLS on a plain port": b"\x16\x03\x01\x02\x00\x01\x00",
    "a header without a name": post(b"", ": x"),
    "a null byte": post(b"", "X: a\x00b"),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("name", NO_REQUEST)
def test_what_is_no_request_gets_a_problem_document(name):
    assert problem(ask(NO_REQUEST[name])) == (400, "no_request")


def test_a_head_that_is_too_large_gets_a_problem_document_that_does_not_quote_it():
    for piece in (
        post(b"", f"X-Trace: {'secret' * 11_000}"),
        b"GET /" + b"secret" * 2000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        post(b"", *(f"X-{number}: secret" for number in range(HEADERS_MAX + 1))),
    ):
        answer = ask(piece)
        assert problem(answer) == (431, "head_too_large")
        assert b"secret" not in answer


def test_a_head_that_does_not_end_is_given_up():
    assert problem(ask(b"POST / HTTP/1.1\r\n", head_seconds=QUICK)) == (408, "slow_head")
    dribble = [b"POST / HTTP/1.1\r\n", *(b"X-%d: 1\r\n" % number for number in range(30))]
    assert problem(ask(*dribble, head_seconds=QUICK)) == (408, "slow_head")


def test_a_connection_that_sends_nothing_is_closed():
    assert ask(b"", head_seconds=QUICK) == b""


def test_the_head_of_a_later_request_is_given_up_too_and_the_answers_before_it_are_sent():
    answer = ask(sized(BODY, close=False), b"POST / HT", head_seconds=QUICK)
    assert status(answer) == 200
    assert problem(answer) == (408, "slow_head")


def test_a_connection_that_was_used_may_be_idle_for_longer_than_a_head_may_take():
    request = sized(BODY, close=False)
    answer = ask(request, b"\r\n", request, sized(BODY), head_seconds=QUICK, pause=2 * QUICK)
    assert answer.count(b"HTTP/1.1 200") == 3


def test_a_slow_body_is_no_slow_head():
    request = sized(BODY)
    answer = ask(request[:-9], request[-9:-5], request[-5:], head_seconds=QUICK, pause=2 * QUICK)
    assert status(answer) == 200


def test_a_head_in_pieces_is_taken():
    request = sized(BODY)
    assert status(ask(request[:9], request[9:30], request[30:])) == 200


def test_chunks_that_break_off_in_the_middle_are_refused_at_once():
    answer = ask(post(b"5\r\nhello\r\n", "Transfer-Encoding: chunked"), b"ZZ\r\nhello\r\n")
    assert problem(answer) == (400, "body")


ZLIB = zlib.compress(BODY)
BARE = zlib.compress(BODY, wbits=-15)
GZIP = gzip.compress(BODY, mtime=0)  # a test's name is the same in every process


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", GZIP),
        ("GZIP", GZIP),
        ("x-gzip", GZIP),
        ("gzip", gzip.compress(BODY[:9], mtime=0) + gzip.compress(BODY[9:], mtime=0)),
        ("deflate", ZLIB),
        ("deflate", BARE),
        ("identity", BODY),
        ("", BODY),
    ],
)
def test_a_packed_body_is_unpacked(coding, body):
    answer = ask(sized(body, f"Content-Encoding: {coding}"))
    assert status(answer) == 200
    assert answer.endswith(BODY)


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "nope", "g\xfcip"])
def test_an_encoding_that_is_not_understood_gets_a_problem_document_that_names_those_that_are(coding):
    answer = ask(sized(GZIP, f"Content-Encoding: {coding}"))
    assert problem(answer) == (415, "encoding")
    assert b"Accept-Encoding: gzip, deflate\r\n" in answer
    assert problem(ask(sized(GZIP, "Content-Encoding: gzip", "Content-Encoding: gzip"))) == (415, "encoding")


def test_an_encoding_that_is_no_text_is_refused_as_any_other():
    answer = ask(sized(GZIP, "Content-Encoding: gzip").replace(b": gzip", b": g\xb6ip"))
    assert problem(answer) == (415, "encoding")
    assert b"'g?ip'" in answer


WRONG_SUM = bytearray(GZIP)
WRONG_SUM[-8] ^= 255


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", BODY),
        ("gzip", GZIP[:-6]),
        ("gzip", GZIP[:15]),
        ("gzip", bytes(WRONG_SUM)),
        ("gzip", GZIP + b"garbage"),
        ("gzip", ZLIB),
        ("deflate", ZLIB[:-1]),
        ("deflate", BARE[:-1]),
        ("deflate", ZLIB + b"garbage"),
        ("deflate", b""),
        ("deflate", BODY),
    ],
)
def test_a_packed_body_that_is_cut_short_or_damaged_is_refused(coding, body):
    assert problem(ask(sized(body, f"Content-Encoding: {coding}"))) == (400, "body")


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_body_may_be_no_larger_unpacked_than_a_plain_one(pack):
    coding = "gzip" if pack is gzip.compress else "deflate"
    assert status(ask(sized(pack(b"a" * LIMIT), f"Content-Encoding: {coding}"))) == 200
    for more in (1, 100_000):
        assert problem(ask(sized(pack(b"a" * (LIMIT + more)), f"Content-Encoding: {coding}"))) == (413, "too_large")


def test_packed_bodies_come_in_chunks_too():
    chunks = b"%x\r\n" % len(GZIP) + GZIP + b"\r\n0\r\n\r\n"
    answer = ask(post(chunks, "Transfer-Encoding: chunked", "Content-Encoding: gzip"))
    assert answer.endswith(BODY)

"""Random requests, the same to a worker with the lane and to one without: equal bytes, equal ends of connections, equal counts.

    PYTHONPATH=tests .venv/bin/python tests/conformance/random_questions.py [--requests 100000] [--seed 7]

Requests are made from good ones, by exchanging, repeating, cutting and inserting: methods, paths, versions, headers, bodies and bytes; among them
everything that is known to make two parsers disagree. They come in random pieces, several at a time, over connections that are kept.
`both_ways.py` has the workers.
"""

import argparse
import asyncio
import gzip
import json
import logging
import random
import re
import tempfile
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import structlog
from both_ways import BODY_LIMIT, TASKS, both

METHODS = ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "post", "POSTX", "CONNECT", ""]
VERSIONS = ["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1", "HTTP/1.1 ", "HTTP/1.1\t", "", "HTTP/11"]
SPELLINGS = [
    "/v1/{0}/predict/", "//v1/{0}/predict", "/v1/{0}/./predict", "/v1/{0}/x/../predict", "/v1/{0}/predict%20", "/v1/%61ds/predict", "/v1/{0}/predict?",
    "/v1/{0}/predict?fresh=true", "/v1/{0}/predict?fresh=false", "/v1/{0}/predict?fresh=maybe", "/v1/{0}/predict#here", "http://x/v1/{0}/predict",
    "/V1/{0}/predict", "/v1/{0}/Predict", "/v1/{0}/predict;a=b", "/v1/nope/predict", "/v1/{0}/predict\u00e9", "/v1/{0}%2fpredict", "*", "x",
    "/v1/{0}/predict/batch?fresh=true", "/v1/{0}/predict/batch/", "/v1/{0}/labels", "/v1/{0}/samples", "/healthz", "/nowhere", "/v1/{0}/predict\x00",
]  # fmt: skip
LENGTHS = [
    "+{0}",
    "0{0}",
    " {0} ",
    "{0} {0}",
    "{0}, {0}",
    "-{0}",
    "0x{0}",
    "{0}.0",
    "1{0}",
    "0",
    "",
    "18446744073709551616",
    "{0}\x0b",
    "\t{0}",
]
HEADERS = [
    ("Content-Type", "application/json"), ("Content-Type", "text/plain"), ("content-TYPE", ""), ("Accept", "*/*"), ("User-Agent", "a b;c"),
    ("X-Request-Id", "order-7"), ("X-Request-Id", "two words"), ("x-request-id", "a" * 200), ("Headrace-Hops", "1"), ("Headrace-Hops", "many"),
    ("Headrace-Again", "true"), ("Headrace-Proof", "guess"), ("Headrace-Proof", ""), ("Origin", "http://x"), ("Expect", "100-continue"),
    ("Expect", "a miracle"), ("Connection", "close"), ("Connection", "keep-alive"), ("CONNECTION", "Close, TE"), ("Connection", "Upgrade"),
    ("Upgrade", "websocket"), ("Upgrade", "h2c"), ("Upgrade", "tcp"), ("Content-Encoding", "identity"), ("Content-Encoding", "gzip"),
    ("Content-Encoding", "br"), ("Content-Encoding", "\udcb6"), ("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "identity"), ("Transfer-Encoding", "gzip, chunked"),
    ("Transfer-Encoding", "xchunked"), ("Transfer-Encoding", " chunked"), ("TE", "trailers"), ("Trailer", "X-A"), ("Cookie", "a=b"),
    ("If-None-Match", "*"), ("Range", "bytes=0-1"), ("Host", "y"), ("Host", ""), ("X-Empty", ""), ("X-Tab", "\ta\tb\t"), ("X-High", "\u00e9\u00ff"),
    ("X-Long", "y" * 9_000), ("Sec-WebSocket-Key1", "x"), ("traceparent", "00-" + "a" * 32 + "-" + "b" * 16 + "-01"), ("X-Forwarded-For", "1.2.3.4"),
    ("Content-Length", "3"), ("Authorization", "Bearer asker"), ("Authorization", "Basic eDp5"), ("X-API-Key", "asker"), ("X-API-Key", "guess"),
]  # fmt: skip
LINES = [
    "X-A : 1", " X-A: 1", "X-A\t: 1", "X-A: 1\n", "X-A: 1\r", "X-A: a\r\n b", "X-A: a\r\n\tb", "X-A: \x00", "X-A\x00: 1", ": 1", "X-A", "X A: 1",
    "X-A: 1\r\nContent-Length : 3", "X-A: a\nContent-Length: 3", "X-\u00e9: 1", "X-A: \x7f", "X-A: \x01", "Content-Length\u00a0: 3", "@: 1", "\tX: 1",
]  # fmt: skip
VALUES = [
    0,
    -1,
    0.5,
    99.5,
    101,
    1e300,
    1e308,
    -1e-300,
    2**63,
    "PT",
    "a" * 5000,
    "",
    "\u00fc\u6f22",
    True,
    False,
    None,
    [],
    {},
    [1],
    {"a": 1},
]
NUMBERS = [
    b"NaN",
    b"Infinity",
    b"1e999",
    b"01",
    b"+1",
    b".5",
    b"1.",
    b"0x1",
    b"--1",
    b'"\\ud800"',
    b'"\xff"',
    b"-0.0",
    b"1E5",
    b"1e-999",
]
DAMAGE = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b"\xff",
    b" ",
    b":",
    b"{",
    b"[" * 300,
    b"POST ",
    b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
]
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
CODES = ["q1", "q2", "\u00fc", "x" * 256, "x" * 257, "", 5, None]


class Dice(random.Random):
    """Makes requests."""

    def one_in(self, count: int) -> bool:
        """Say yes once in so many times."""
        return self.randrange(count) == 0

    def question(self) -> Any:
        """A question, most of the time a good one."""
        question: dict[str, Any] = {"features": {"x": self.choice([1, 1.5, 0.25, 7])}}
        if self.one_in(3):
            question["features"]["y"] = self.choice(["PT", "DE", ""])
        if self.one_in(6):
            question["features"]["z"] = 3  # which the task that declares its features refuses
        if self.one_in(3):
            question["id"] = f"id-{self.randrange(300)}"
        if self.one_in(3):
            question["key"] = f"user-{self.randrange(5)}"
        if self.one_in(4):
            question["log"] = self.choice(["async", "async", "async", "durable", True, False, "soon"])
        if self.one_in(10):
            question["min_position"] = self.choice([0, 7, 1e9, -1, 2**60])
        if self.one_in(10):
            question["wait_s"] = self.choice([0, 0.001, -1, 11])
        if self.one_in(6):
            part: Any = self.choice([question, question["features"]])
            part[self.choice([*part, "x", "y", "z", "id", "key", "label", "", "n" * 300])] = self.choice(VALUES)
        if self.one_in(20):
            question[self.choice(["id", "key"])] = self.choice(CODES)
        return question

    def body(self, *, is_batch: bool) -> bytes:
        """A body, damaged at times."""
        told: Any = self.question()
        if is_batch != self.one_in(20):
            count = self.choice([0, 1, 2, 3, 5, 40]) if not self.one_in(60) else 1001
            told = [self.question() for _ in range(count)] if count < 100 else [told] * count
        body = bytearray(json.dumps(told, indent=self.choice([None, None, 1])).encode("utf-8", "surrogatepass"))
        if self.one_in(20):
            body = bytearray(body.replace(b"1.5", self.choice(NUMBERS)))
        if self.one_in(40):
            body = bytearray(body.replace(b'"x":', b'"x": 1, "x":'))
        if self.one_in(100):
            body += b" " * self.choice([1, BODY_LIMIT - len(body) - 1, BODY_LIMIT - len(body), BODY_LIMIT, 70_000])
        if self.one_in(15):
            self.damage(body)
        return bytes(body)

    def damage(self, piece: bytearray) -> None:
        """Change some bytes."""
        at, kind = self.randrange(len(piece) + 1), self.randrange(4)
        if kind == 0:
            del piece[at:]
        elif kind == 1:
            piece[at:at] = self.randbytes(self.randrange(1, 9))
        elif kind == 2:
            piece[at : at + self.randrange(1, 9)] = b""
        else:
            piece[at:at] = self.choice(DAMAGE)

    def chunks(self, body: bytes) -> bytes:
        """A body in chunks."""
        cuts = sorted(self.randrange(len(body) + 1) for _ in range(self.randrange(4)))
        parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"

    def request(self) -> bytes:
        """The bytes of one request. Half of all requests have nothing odd."""
        is_plain = self.one_in(2)
        is_batch = self.one_in(4)
        task = self.choices([*TASKS, "ads"], [3] * len(TASKS) + [6])[0]
        path = f"/v1/{task}/predict" + "/batch" * is_batch
        method, version = "POST", "HTTP/1.1"
        if not is_plain and self.one_in(6):
            path = self.choice(SPELLINGS).replace("{0}", task)
        if not is_plain and self.one_in(12):
            method = self.choice(METHODS)
        if not is_plain and self.one_in(12):
            version = self.choice(VERSIONS)
        body = self.body(is_batch=is_batch)
        lines = [("Host", "x")]
        key = self.choices(["asker", "boss", "slow", "sender", "guess", ""], [12, 2, 2, 1, 1, 1])[0]
        if key:
            lines.append(
                self.choice(
                    [("X-API-Key", key), ("Authorization", f"Bearer {key}"), ("authorization", f"bEARER  {key} ")]
                )
            )
        if self.one_in(3):
            lines.append(self.choice(HEADERS[:8]))
        length = str(len(body))
        is_chunked = not is_plain and self.one_in(8)
        if not is_plain:
            for _ in range(self.choice([0, 1, 1, 2, 5])):
                lines.append(self.choice(HEADERS))
            if self.one_in(10):
                length = self.choice(LENGTHS).replace("{0}", length)
            if self.one_in(40):
                lines += [(f"X-{number}", "a") for number in range(self.choice([100, 126, 127, 200]))]
            if self.one_in(20):
                body = self.choice([gzip.compress(body, mtime=0), zlib.compress(body)])
                length = str(len(body))
                lines.append(("Content-Encoding", self.choice(["gzip", "deflate", "x-gzip"])))
        if is_chunked:
            lines.append(("Transfer-Encoding", "chunked"))
            body = self.chunks(body)
        if not is_chunked or self.one_in(4):
            lines.append((self.choice(["Content-Length", "content-length", "CONTENT-LENGTH"]), length))
        self.shuffle(lines)
        told = [f"{name}:{self.choice([' ', ' ', '', '  ', chr(9)])}{value}" for name, value in lines]
        if not is_plain and self.one_in(8):
            told.insert(self.randrange(len(told) + 1), self.choice(LINES))
        head = "\r\n".join([f"{method} {path} {version}", *told, "", ""]).encode("utf-8", "surrogatepass")
        request = bytearray(head + body)
        if not is_plain and self.one_in(20):
            self.damage(request)
        if self.one_in(60):
            request[:0] = self.choice([b"\r\n", b"\n", b" ", b"\r\n\r\n"])
        return bytes(request)

    def pieces(self, requests: bytes) -> list[bytes]:
        """The pieces in which bytes come: mostly one, or the head and the body."""
        kind = self.randrange(6)
        if kind < 3:
            return [requests]
        cuts = [requests.find(b"\r\n\r\n") + 4] if kind == 3 else []
        cuts += [self.randrange(len(requests) + 1) for _ in range(self.choice([1, 1, 2, 6]) if kind > 3 else 0)]
        cuts.sort()
        return [piece for a, b in zip([0, *cuts], [*cuts, len(requests)], strict=True) if (piece := requests[a:b])]


async def compare(folder: Path, count: int, seed: int) -> Counter[str]:
    """Send so many requests to both workers. Return how often each status was answered, and how many requests the lane has answered."""
    found: Counter[str] = Counter()
    dice = Dice(seed)
    async with both(folder, has_keys=seed % 4 > 0) as workers:
        sent = 0
        while sent < count:
            links = [worker.connect() for worker in workers]
            for link in links:
                await link.rest()
            for _ in range(dice.choice([1, 2, 4, 12])):
                if dice.one_in(10):
                    workers[0].clock.now += dice.choice([0.01, 0.3, 2.0])
                together = dice.choice([1, 1, 1, 1, 1, 2, 3])
                requests = [dice.request() for _ in range(together)]
                pieces = dice.pieces(b"".join(requests))
                sent += together
                answers = [await worker.exchange(link, *pieces) for worker, link in zip(workers, links, strict=True)]
                assert answers[0] == answers[1], (
                    f"seed {seed}, {pieces!r}:\nlane     {answers[0]!r}\nordinary {answers[1]!r}"
                )
                written, is_shut = answers[0]
                found.update(status.decode() for status in STATUS.findall(written))
                if is_shut:
                    break
            for worker, link in zip(workers, links, strict=True):
                await worker.end(link)
            if dice.one_in(50):
                check_counts(workers)
        check_counts(workers)
        found["lane"] = workers[0].lane.answered
        assert workers[1].lane.answered == 0
    return found


def check_counts(workers: Any) -> None:
    """AssertionError if the workers have counted or kept different things."""
    lane, ordinary = (worker.counted() for worker in workers)
    for name, counts in lane.items():
        assert counts == ordinary[name], name


def main() -> None:
    """Send and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    quiet()
    started, found = time.perf_counter(), Counter[str]()
    for number in range(10):
        with tempfile.TemporaryDirectory() as folder:
            found += asyncio.run(compare(Path(folder), options.requests // 10, options.seed * 100 + number))
    lane = found.pop("lane")
    statuses = ", ".join(f"{count} x {status}" for status, count in sorted(found.items()))
    print(f"{options.requests:,} requests in {time.perf_counter() - started:.0f} s (seed {options.seed}): {statuses}")
    print(f"Both ways gave the same bytes. The lane answered {lane:,} requests.")


def drop(*_: Any) -> Any:
    """Log nothing."""
    raise structlog.DropEvent


def quiet() -> None:
    """Leave out the log."""
    structlog.configure(processors=[drop])
    logging.disable(logging.CRITICAL)


def aloud() -> None:
    """Log again."""
    structlog.reset_defaults()
    logging.disable(logging.NOTSET)


if __name__ == "__main__":
    main()

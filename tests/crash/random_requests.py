"""Random requests against a running worker: none may change a model, none may end the worker, none may find a defect.

    PYTHONPATH=tests .venv/bin/python tests/crash/random_requests.py [--requests 100000] [--seed 7]

Requests are made from good ones, by exchanging, cutting and inserting: methods, paths, headers, keys, JSON and bytes. What could
append to the log is either not allowed by the key that is sent, or a sample with a label that no task has.
"""

import argparse
import asyncio
import collections
import hashlib
import json
import random
import signal
import sys
import tempfile
import time
import uuid
from pathlib import Path

import harness

from headrace import Client
from headrace.app.views import ROUTES

CONNECTIONS = 16
ANSWER_SECONDS = 30.0
SECRETS = {"predict": "reads", "feedback": "sends", "admin": "rules"}
FEEDBACK = ("samples", "labels", "{key}")
METHODS = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "get",
    "G\u00c4T",
    "",
]
WORDS = [
    "features",
    "id",
    "key",
    "label",
    "time",
    "log",
    "min_position",
    "wait_s",
    "served",
    "x",
    "",
    "\u00e9",
    "\x00",
    "a" * 300,
    "__proto__",
    "constructor",
    "$ref",
    "price",
    "country",
]
NUMBERS = [
    b"0",
    b"-0",
    b"1.5",
    b"1e308",
    b"1e999",
    b"-1e-400",
    b"NaN",
    b"Infinity",
    b"9223372036854775808",
    b"9" * 400,
    b"0x1",
    b"1_0",
    b"01",
]


class Dice(random.Random):
    """Draws requests."""

    def value(self, depth: int = 0):
        """Any JSON value."""
        kind = self.randrange(9 if depth < 4 else 6)
        if kind == 0:
            return self.choice([None, True, False])
        if kind == 1:
            return self.choice([0, -1, 2**63, -(2**63) - 1, 2**64, 10**300, self.randrange(1000)])
        if kind in (2, 3):
            return self.choice([0.0, -0.0, 1e308, 5e-324, float("nan"), float("inf"), self.gauss(0, 10)])
        if kind in (4, 5):
            return self.choice([*WORDS, "y" * self.randrange(6000), chr(self.randrange(0xD800)), "PT", "\ud800"])
        if kind == 6:
            return [self.value(depth + 1) for _ in range(self.randrange(4))]
        return {self.choice(WORDS): self.value(depth + 1) for _ in range(self.randrange(5))}

    def question(self):
        """A good question, in which a part may be exchanged."""
        question = {
            "features": {
                self.choice(["x", "y", "country"]): self.choice([1.5, 2, "PT", True]) for _ in range(self.randrange(4))
            }
        }
        if self.random() < 0.3:
            question["id"] = f"q{self.randrange(100)}"
        if self.random() < 0.3:
            question["key"] = f"user-{self.randrange(100)}"
        if self.random() < 0.1:
            question["min_position"] = self.choice([0, 7, 10**9])
        if self.random() < 0.3:
            part = self.choice([question, question["features"]])
            name, value = self.choice([*part, *WORDS]), self.value()
            part[name] = "soon" if name == "log" and value is True else value  # what is logged would change the model
        return question

    def body(self, route: str) -> bytes:
        """A body, mutated at times."""
        told = self.question()
        if route.endswith(("samples", "labels")):
            told["label"] = self.choice(["maybe", 7, None, [], {}, "\u00fc"])
        if route.endswith("labels"):
            told = {"id": f"q{self.randrange(100)}", "label": told["label"]}
        if route.endswith("{key}"):
            told = told["features"]
        if route.endswith("control"):
            told = {"control": self.choice(["maybe", 7, None, [], ""]), "to": "previous", "task": self.value()}
        if route.endswith("batch") or self.random() < 0.1:
            told = [told] * self.choice([0, 1, 2, 1001])
        body = bytearray(json.dumps(told).encode("utf-8", "surrogatepass"))
        if self.random() < 0.1:
            body = bytearray(body.replace(b"1.5", self.choice(NUMBERS)))
        for _ in range(self.choice([0, 0, 0, 0, 1, 1, 2, 8])):
            self.damage(body)
        return bytes(body)

    def damage(self, body: bytearray) -> None:
        """Change some bytes."""
        at, kind = self.randrange(len(body) + 1), self.randrange(4)
        if kind == 0:
            del body[at:]
        elif kind == 1:
            body[at:at] = self.randbytes(self.randrange(1, 9))
        elif kind == 2:
            body[at : at + self.randrange(9)] = b""
        else:
            body[at:at] = self.choice([b"{", b"[" * 200, b'"', b"\\", b"\x00", b"\xff", b",", b":", body[:at]])

    def path(self, tasks: list[str]) -> tuple[str, str]:
        """A route, and a path that is it or nearly."""
        route = self.choice(list(ROUTES))
        path = route
        for part in ("{task}", "{key}", "{id}"):
            path = path.replace(part, self.choice(tasks) if part == "{task}" else f"user-{self.randrange(50)}")
        if "predict" in route and self.random() < 0.1:
            path += "?fresh=true"
        for _ in range(self.choice([0, 0, 0, 0, 0, 1, 2])):
            at = self.randrange(len(path) + 1)
            path = (
                path[:at]
                + self.choice(
                    [
                        "/",
                        "//",
                        "..",
                        "/../",
                        "%2e",
                        "%00",
                        "%",
                        "%ff",
                        "?",
                        "?fresh=1",
                        ";",
                        "{",
                        "\u00e9",
                        "*",
                        "a" * 900,
                    ]
                )
                + path[at:]
            )
        return route, path

    def headers(self, route: str, body: bytes) -> list[tuple[str, str]]:
        """Headers: the right key most of the time, the right length nearly always."""
        found = [("Host", "x"), *([harness.ORDINARY_WAY] if self.random() < 0.3 else [])]
        right, wrong = ("feedback", "predict") if route.endswith(FEEDBACK) else ("predict", "feedback")
        if route.endswith("control"):
            right = "admin"
        shown = self.random()
        if shown < 0.8:
            found.append(self.choice([("X-API-Key", SECRETS[right]), ("Authorization", f"bearer {SECRETS[right]}")]))
        elif shown < 0.9:
            found.append(("X-API-Key", SECRETS[wrong]))
        elif shown < 0.95:
            found.append(
                (
                    "Authorization",
                    self.choice(["Bearer guess", "Basic eDp5", "", "Bearer \xff", "Bearer " + "k" * 5000]),
                )
            )
        length = len(body)
        if self.random() < 0.005:
            length = self.choice([-1, 0, max(length - 3, 0), length + 3, 2**64])
        found.append(("Content-Length", str(length)))
        if self.random() < 0.1:
            found.append(self.choice([("Content-Type", "text/plain"), ("Content-Encoding", "gzip"), ("Content-Encoding", "deflate"), ("Expect", "100-continue"),
                                      ("Transfer-Encoding", "chunked"), ("Connection", "close"), ("Accept", "text/xml"), ("X-A", "b" * 9000), ("X-\u00e9", "\xff"),
                                      ("Range", "bytes=0-1"), ("If-None-Match", "*"), ("Cookie", "a=" + "b" * 500)]))  # fmt: skip
        return found

    def request(self, tasks: list[str]) -> bytes:
        """The bytes of one request."""
        route, path = self.path(tasks)
        usual = "POST" if route.endswith(("predict", "batch", "samples", "labels", "control")) else "GET"
        if route.endswith("{key}"):
            usual = self.choice(["GET", "PUT", "DELETE"])
        method = usual if self.random() < 0.9 else self.choice(METHODS)
        body = self.body(route) if method != "GET" or self.random() < 0.1 else b""
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers(route, body))
        request = f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1", "replace") + body
        if self.random() < 0.003:
            damaged = bytearray(request)
            self.damage(damaged)
            return bytes(damaged)
        return request


class Stream:
    """One connection at a time, which is opened again when the worker closes it."""

    def __init__(self, port: int):
        self.port, self.reader, self.writer = port, None, None

    async def ask(self, request: bytes) -> int:
        """The status of the answer; 0 when the connection was closed without one."""
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            self.writer.write(request)
            if b"\r\n\r\n" not in request:
                self.writer.write_eof()  # headers that never end would be waited for
            await self.writer.drain()
            status, head = 100, b""
            while status == 100:
                head = await self.reader.readuntil(b"\r\n\r\n")
                status = int(head[9:12])
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            content = b""
            if length and not request.startswith(b"HEAD"):
                content = await self.reader.readexactly(int(length[0].partition(b":")[2]))
            if b"application/problem+json" in head and content:
                assert json.loads(content)["status"] == status, content
            if b"text/event-stream" in head:
                self.close()  # it has no end
            if b"close" in head.lower() or b"HTTP/1.0" in head[:8] or not is_plain(request):
                self.close()
            return status
        except (asyncio.IncompleteReadError, ConnectionError):
            self.close()
            return 0

    def close(self) -> None:
        """Close the connection."""
        if self.writer is not None:
            self.writer.close()
            self.reader = self.writer = None


def is_plain(request: bytes) -> bool:
    """Whether a request surely ends where its answer begins; otherwise the next one gets a connection of its own."""
    head, _, body = request.partition(b"\r\n\r\n")
    return f"Content-Length: {len(body)}".encode() in head and b"chunked" not in head and b"Expect" not in head


async def send(port: int, tasks: list[str], count: int, seed: int) -> collections.Counter:
    """Send so many random requests; how often each status was the answer. A worker that does not answer in time is at fault."""
    found = collections.Counter()
    requests = iter(range(count))

    async def work(number: int) -> None:
        stream, dice = Stream(port), Dice(seed * 1000 + number)
        for _ in requests:
            request = dice.request(tasks)
            try:
                status = await asyncio.wait_for(stream.ask(request), ANSWER_SECONDS)
            except TimeoutError:
                raise AssertionError(f"no answer to {request[:2000]!r}") from None
            assert status < 500, (status, request[:2000])
            if status == 202:
                method, path = request.split(b" ")[:2]
                assert method in (b"PUT", b"DELETE"), request[:2000]
                assert b"/features/" in path, request[:2000]
            found[status] += 1
        stream.close()

    await asyncio.gather(*(work(number) for number in range(CONNECTIONS)))
    return found


def toml(task: str) -> str:
    """Two tasks: one that takes any feature, one that declares them."""
    declared = f"[tasks.{task}-declared.features]\nx = {{ min = 0, max = 100, optional = true }}\ncountry = {{ type = 'string', optional = true }}\n[tasks.{task}-declared.stored]\nx = {{ default = 0 }}\n"
    return f"[tasks.{task}]\nkind = 'binary'\npartitions = 2\n[tasks.{task}-declared]\nkind = 'binary'\n{declared}"


def prepare(folder: Path, broker: str, task: str) -> harness.Worker:
    """A worker with keys."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name} {name} {hashlib.sha256(secret.encode()).hexdigest()}" for name, secret in SECRETS.items()]
    (folder / "keys").write_text("\n".join(lines))
    return harness.Worker(folder, broker, toml(task), worker="keys_file = 'keys'\nbody_seconds = 1")


def start(worker: harness.Worker, broker: str, task: str) -> None:
    """Start it, and have it learn something."""
    worker.start().wait_ready()
    for name in (task, f"{task}-declared"):
        rows = [(0, json.dumps({"features": {"x": n % 5}, "label": n % 5 > 2}).encode()) for n in range(50)]
        asyncio.run(harness.append(broker, f"{name}.events", rows))
        harness.wait_for(lambda: has_learned(worker, name), 30, "all learned")  # noqa: B023 called at once


def has_learned(worker: harness.Worker, task: str) -> bool:
    """Whether the first shard has learned what was sent, and every shard has folded its first definition."""
    shards = standing(worker, task)
    return shards[0][2] == 50 and all(0 < position == end for _, position, _, end, _ in shards)


def standing(worker: harness.Worker, task: str) -> list:
    """Of each shard its partition, position, updates and digest."""
    with Client(worker.address, key=SECRETS["predict"]) as client:
        shards = client.status(task).shards
    return [(shard.partition, shard.position, shard.updates, shard.end, shard.digest) for shard in shards]


def run(folder: Path, broker: str, count: int, seed: int) -> collections.Counter:
    """Send them to a worker of its own; AssertionError when a model changed or the worker did not live on."""
    task = f"random-{uuid.uuid4().hex[:8]}"
    worker = prepare(folder, broker, task)
    try:
        start(worker, broker, task)
        tasks = [task, f"{task}-declared"]
        before = [standing(worker, name) for name in tasks]
        found = asyncio.run(send(worker.port, [*tasks, "nope"], count, seed))
        assert [standing(worker, name) for name in tasks] == before, "a request changed a model"
        assert worker.process.poll() is None, worker.log()[-3000:]
        assert worker.get("/readyz") == {"status": "ready"}
        assert worker.failures() == []
    finally:
        worker.stop("SIGKILL")
    return found


def main() -> None:
    """Send and print."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that broker and worker go too
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with harness.running_broker() as broker, tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        found = run(Path(folder) / "worker", broker, options.requests, options.seed)
        seconds = time.perf_counter() - started
    statuses = ", ".join(f"{count} x {status or 'closed'}" for status, count in sorted(found.items()))
    print(f"{found.total():,} requests in {seconds:.0f} s (seed {options.seed}): {statuses}")
    print("Every digest is as before, the worker lives, and it logged no error.")


if __name__ == "__main__":
    main()

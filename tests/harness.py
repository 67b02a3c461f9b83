"""What tests, the chaos run and the benchmarks share: brokers, workers that can be killed, and the uninterrupted fold."""

import asyncio
import contextlib
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

import httpx
import msgspec
from aiokafka import TopicPartition
from fork_server import SERVER, Forked

from headrace import Client
from headrace.app import broker as embedded
from headrace.app.client.errors import AccessError, ClientError
from headrace.app.command import HEADRACE
from headrace.learning.encoding import encode
from headrace.learning.fold.learner import Learner
from headrace.learning.fold.recipe_fold import RecipeFold
from headrace.learning.promises import Install, Place
from headrace.learning.snapshot import digest
from headrace.learning.supplies import supplies_of
from headrace.learning.task import Task, fingerprint
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.producer import producing
from headrace.tables.kafka.topics import prepare, topics_of

ROOT = Path(__file__).resolve().parent.parent

ORDINARY_WAY = ("Content-Encoding", "identity")
"""A header that says nothing and leads a question past the lane: the lane leaves bodies with an encoding to the ordinary way."""

HTTP = httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
"""Asks workers for what `Client` does not offer. It keeps no connection: workers are killed and started again."""


def has_kafka() -> bool:
    """Whether a real Kafka can be run here: Java, and Maven or jars that it fetched before."""
    libs = Path(os.environ.get("KAFKA_LIBS", ROOT / ".kafka" / "libs"))
    return shutil.which("java") is not None and (shutil.which("mvn") is not None or any(libs.glob("kafka_*.jar")))


def readable(stream: IO[str], seconds: float) -> bool:
    """Whether a pipe has something to read within so many seconds."""
    return bool(select.select([stream], [], [], seconds)[0])


def free_port(count: int = 1) -> int:
    """A port that nothing listens on, with as many after it."""
    while True:
        with contextlib.ExitStack() as stack:
            probes = [stack.enter_context(socket.socket()) for _ in range(count)]
            probes[0].bind(("127.0.0.1", 0))
            port = probes[0].getsockname()[1]
            try:
                for after, probe in enumerate(probes[1:], 1):
                    probe.bind(("127.0.0.1", port + after))
            except OSError:
                continue
            return port


def steady_port(count: int = 1) -> int:
    """A free port, with as many after it, that stays free while nothing listens on it: for a server that is killed and started again.

    It is below those that the system gives to outgoing connections: a client that keeps connecting to a server that is away could
    otherwise be given the server's own port.
    """
    while True:
        port = random.SystemRandom().randrange(15_000, 30_000)
        with contextlib.ExitStack() as stack:
            try:
                for probed in range(port, port + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", probed))
            except OSError:
                continue
            return port


class Kafka:
    """A real Kafka of one node that can be killed and started again in the same folder and on the same port.

    Parameters
    ----------
    folder
        For its log and settings.
    port
        Where it listens; the port after it must be free too. Left out, a steady one is chosen.
    properties
        Further settings of the broker, as in `server.properties`.
    address
        `host:port` of the listener to wait for; left out, the one on `port`.
    """

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        properties: dict[str, str] | None = None,
        address: str | None = None,
    ):
        self.folder, self.port = folder, port or steady_port(2)
        self.properties = properties or {}
        self.address = address or f"127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Kafka":
        """Start it and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ)
        if self.properties:
            environment["KAFKA_PROPERTIES"] = str(self.folder / "further.properties")
            lines = [f"{name}={value}\n" for name, value in self.properties.items()]
            (self.folder / "further.properties").write_text("".join(lines))
        command = ["bash", str(ROOT / "deploy/kafka/run.sh"), str(self.folder), str(self.port)]
        with (self.folder / "kafka.out").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env=environment)
        host, _, port = self.address.rpartition(":")
        deadline = time.monotonic() + 180
        while not embedded.is_listening(host, int(port)) or not embedded.is_reachable(self.address):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError("Kafka did not start:\n" + (self.folder / "kafka.out").read_text()[-3000:])
            time.sleep(0.2)
        return self

    def kill(self) -> None:
        """SIGKILL it and wait until it is gone; its folder stays as it is."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def signal(self, name: str) -> None:
        """Send it a signal other than SIGKILL, if it still runs."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, getattr(signal, name))

    def restart(self) -> "Kafka":
        """Kill it and start it again."""
        self.kill()
        return self.start()


@contextlib.contextmanager
def running_broker(*, real: bool | None = None) -> Iterator[str]:
    """A broker of its own on a free port, gone afterwards: real Kafka where it can be run, otherwise the embedded one."""
    if real is None:
        real = has_kafka()
    if not real:
        port = free_port()
        process = embedded.start(f"127.0.0.1:{port}")
        try:
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()
        return
    with tempfile.TemporaryDirectory(prefix="kafka-") as folder:
        kafka = Kafka(Path(folder))
        try:
            yield kafka.start().address
        finally:
            kafka.kill()


class Worker:
    """A worker process with a settings file of its own.

    Attributes
    ----------
    is_forked
        Whether workers and commands are forked from a process that has imported all, which saves three of four seconds of a start; with a
        command or a path of its own, none is. The tests fork; what measures or kills for long starts workers as a user does.

    Parameters
    ----------
    folder
        For its settings, data and log.
    broker
        `host:port`.
    tasks
        The `[tasks...]` part of the settings, as TOML.
    worker
        Further lines of the `[worker]` part.
    instance
        A name for static membership.
    """

    is_forked = False
    uses_kernel = True

    def __init__(self, folder: Path, broker: str, tasks: str, worker: str = "", instance: str | None = None):
        self.folder, self.instance = folder, instance
        self.command, self.path = HEADRACE, f"{ROOT}{os.pathsep}{folder}"
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "headrace.toml"
        if "group = " not in worker:  # tests share a broker, and must not wait for each other's dead members
            names = sorted(re.findall(r"^\[tasks\.([^.\]]+)\]", tasks, re.MULTILINE))
            worker += f'\ngroup = "tests-{"-".join(names)[:150]}"'
        head = f'[broker]\nurl = "kafka://{broker}"\n[worker]\nweb = "127.0.0.1:{self.port}"\n{worker}\n'
        self.config.write_text(head + tasks)
        self.process: subprocess.Popen[bytes] | Forked | None = None

    def start(self) -> "Worker":
        """Start it; it is not ready yet."""
        log_file = self.folder / "worker.log"
        if self.can_fork:
            arguments = ["headrace", *self.arguments()[len(self.command) :]]
            self.process = SERVER.start(arguments, self.environment(), self.folder, log_file, log_file)
            return self
        with log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.arguments(),
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=self.environment(),
                cwd=self.folder,
            )
        return self

    @property
    def can_fork(self) -> bool:
        """Whether its commands are those of the process that forks."""
        return self.is_forked and self.command is HEADRACE and self.path.startswith(f"{ROOT}{os.pathsep}")

    def arguments(self) -> list[str]:
        """The command and its arguments."""
        named = ["--instance", self.instance] if self.instance else []
        return [*self.command, "worker", "--config", str(self.config), *named]

    def environment(self) -> dict[str, str]:
        """The environment that its commands run in."""
        kernel = {} if self.uses_kernel else {"HEADRACE_KERNEL": "off"}
        return (
            os.environ | kernel | {"PYTHONHASHSEED": "0", "PYTHONPATH": self.path, "HEADRACE_CONFIG": str(self.config)}
        )

    def run(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line to its end, with the settings of this worker."""
        arguments = [verb, "--config", str(self.config), *words]
        if self.can_fork:
            return SERVER.run(["headrace", *arguments], self.environment(), self.folder)
        where = {"env": self.environment(), "cwd": self.folder}
        return subprocess.run([*self.command, *arguments], check=False, capture_output=True, text=True, **where)

    def wait_ready(self, seconds: float = 60.0) -> "Worker":
        """Wait until it can answer and no shard of its own is being opened any more."""
        assert self.process is not None

        def is_ready() -> bool:
            assert self.process.poll() is None, f"the worker has ended; log:\n{self.log()[-2000:]}"
            return self.is_settled()

        wait_for(is_ready, seconds, lambda: f"{self.address} ready: {self.unsettled()}; log:\n{self.log()[-2000:]}")
        return self

    def is_settled(self) -> bool:
        """Whether it can answer, and the shards that it owns are open: it is ready a little before that."""
        return self.unsettled() is None

    def unsettled(self) -> str | None:
        """Say why it is not settled; None if it is. A worker that asks for keys does not tell of its shards without one."""
        if self.get("/readyz") is None:
            return "/readyz is not 200"
        names = [line[7:-1] for line in self.config.read_text().splitlines() if re.fullmatch(r"\[tasks\.[^.]+\]", line)]
        with Client(self.address, key="", timeout=2) as client:
            for name in names:
                try:
                    opening = [shard for shard in client.status(name).shards if shard.state == "opening"]
                except AccessError:
                    continue
                except ClientError as error:
                    return f"{name}: {error}"
                if opening:
                    return f"{name}: {opening}"
        return None

    def signal(self, name: str) -> None:
        """Send a signal to it."""
        assert self.process is not None
        os.killpg(self.process.pid, getattr(signal, name))

    def stop(self, name: str = "SIGTERM") -> None:
        """End it and wait until it is gone."""
        if self.process is not None and self.process.poll() is None:
            self.signal(name)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.signal("SIGKILL")
                self.process.wait()
                raise

    def get(self, path: str, timeout: float = 10.0):
        """The JSON at a path, or None while it does not answer 200."""
        try:
            answer = HTTP.get(self.address + path, timeout=timeout)
        except httpx.RequestError:
            return None
        return answer.json() if answer.is_success else None

    def post(self, path: str, body, timeout: float = 10.0, headers: dict[str, str] | None = None, method: str = "POST"):
        """The status and the JSON of a POST, or of another method; `body` is bytes or what becomes JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | (headers or {})
        answer = HTTP.request(method, self.address + path, content=data, headers=headers, timeout=timeout)
        return answer.status_code, answer.json()

    def log(self) -> str:
        """What it has logged."""
        path = self.folder / "worker.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def failures(self) -> list[dict]:
        """The lines of its log that tell of a failure. Not the Kafka client's: it says so each time it has to ask again."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [
            line for line in lines if line["level"] == "error" and not line.get("logger", "").startswith("aiokafka")
        ]


@contextlib.contextmanager
def sharing(workers, task, owned):
    """Run workers of a task until each is ready and has one of its shards, as `owned` tells of a worker; they are killed afterwards."""
    try:
        for worker in workers:
            worker.task = task
            worker.start()
        for worker in workers:
            worker.wait_ready()
        wait_for(lambda: all(len(owned(worker)) == 1 for worker in workers), 60, "a shard each")
        yield
    finally:
        for worker in workers:
            worker.stop("SIGKILL")


def wait_for(true, seconds: float, what) -> None:
    """Wait until a condition holds; AssertionError when it does not come to hold, that says what, or what a call of it says then."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.1)


def wait_while_moving(true, seconds: float, state) -> None:
    """Wait until a condition holds; AssertionError, with what `state` returns, if that has been the same for so long."""
    seen, deadline = state(), time.monotonic() + seconds
    while not true():
        now = state()
        if now != seen:
            seen, deadline = now, time.monotonic() + seconds
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing has moved for {seconds} s: {seen}")
        time.sleep(0.1)


def make_topics(broker: str, task: Task) -> None:
    """Make a task's topics before any worker runs."""
    asyncio.run(prepare(broker, topics_of(task)))


async def append(broker: str, topic: str, rows: Iterable[tuple[int | None, bytes]], rate: float | None = None) -> int:
    """Append (partition, value) rows, at most `rate` a second; how many there were."""
    count, started = 0, time.monotonic()
    async with producing(broker, linger_ms=5) as producer:
        for count, (partition, value) in enumerate(rows, 1):
            # A message without a value must have a key: a tombstone.
            await producer.send(topic, value, key=b"key" if value is None else None, partition=partition)
            if rate and count % 100 == 0:
                await asyncio.sleep(max(0.0, started + count / rate - time.monotonic()))
    return count


async def read_all(broker: Brokers | str, topic: str, partition: int = 0) -> list:
    """All messages of a partition as it stands now, but for those of transactions that were aborted."""
    shard = TopicPartition(topic, partition)
    found = []
    async with Brokers.of(broker).consumer() as consumer:
        consumer.assign([shard])
        end = (await consumer.end_offsets([shard]))[shard]
        consumer.seek(shard, (await consumer.beginning_offsets([shard]))[shard])
        while await consumer.position(shard) < end:
            found += (await consumer.getmany(shard, timeout_ms=1000)).get(shard, [])
    return found


async def read_records(broker: Brokers | str, topic: str, partition: int = 0) -> list:
    """All messages of an event log but the definition that its first owner has written."""
    return [one for one in await read_all(broker, topic, partition) if b'"control":"define"' not in one.value]


def make_promised(learner: Learner, messages: list, place: Place, name: str) -> None:
    """Make the model of a promise by its recipe, and hold it to the one that the job made."""
    supplies = learner.supplies
    outcome = supplies.promises.outcome(name, place)
    assert outcome is not None, f"the promise {name} at {place} has no outcome"
    if outcome.artefact is None:
        return
    message = next(one for one in messages if one.offset == place.offset)
    record = next(control for at, control in supplies.promises.controls(message) if at == place)
    install = msgspec.convert(record.arguments, Install)
    model = install.model or learner.champion.made_of
    made = RecipeFold(learner.task, learner.partition, install.recipe, supplies, model)
    made.follow(lambda: [one for one in messages if install.recipe.start <= one.offset <= place.offset])
    digest = made.champion.digest
    if outcome.definition in (None, fingerprint(learner.definition)):
        assert outcome.artefact == digest, f"the job {name} made another model for {place}"
    supplies.artefacts.made[name, digest] = encode(made.champion.model)


def fold(task: Task, partition: int, messages: Iterable, make: Callable = make_promised) -> tuple[Learner, list]:
    """The uninterrupted fold of these messages, and its effects; `make` supplies the model of a promise."""
    messages, supplies = list(messages), supplies_of(task)
    for message in messages:
        supplies.promises.note(message)
    learner, effects = Learner(task, partition, supplies=supplies), []
    for message in messages:
        if made := supplies.promises.made_in(message, learner.state.jobs):
            make(learner, messages, *made)
        for some in learner.fold(message):
            effects += some
    return learner, effects


def digest_of(learner: Learner) -> str:
    """The digest of a learner's state."""
    return digest(learner.state)

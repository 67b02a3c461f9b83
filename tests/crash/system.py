"""What faults are done to: a Kafka of its own, workers that reach it through a proxy, a task, and a steady feed."""

import asyncio
import contextlib
import shutil
import struct
import subprocess
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import harness
import httpx
from aiokafka.admin import NewTopic
from aiokafka.admin.new_partitions import NewPartitions
from feed import Feed
from proxy import Proxy

from headrace.app.settings import parse
from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.topics import Topic, connect, prepare, topics_of

DISK = "96m"
ENDED_SECONDS = 15.0
"""How long a worker may take to end once it is told to."""

READY_SECONDS = 120.0

TOLD_SECONDS = 1.0
"""How long a worker may take to say what its tasks wait for."""

FIRST_ROWS = 600
"""Rows that a task has before anything is done to it."""

WAIT_SECONDS = 20.0
"""How long a question waits: questions of before a fault must meet labels of after it, and some expire."""

SOURCE_PARTITIONS = 2

SITE = '''"""Shifts this process's wall clock by the seconds in the file `clock` beside this one, which may change at any time.

SIGUSR2 has it say what each of its asyncio tasks waits for.
"""

import gc
import mmap
import pathlib
import signal
import struct
import sys
import time


def tell_tasks(*_):
    import asyncio

    gc.unfreeze()  # what is frozen is not among the objects
    for task in gc.get_objects():
        if isinstance(task, asyncio.Task) and not task.done():
            at, places = task.get_coro(), []
            while at is not None:
                frame = getattr(at, "cr_frame", None) or getattr(at, "gi_frame", None) or getattr(at, "ag_frame", None)
                if frame is not None:
                    places.append(f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno} {frame.f_code.co_name}")
                at = getattr(at, "cr_await", None) or getattr(at, "gi_yieldfrom", None) or getattr(at, "ag_await", None)
            print(f"TASK {task.get_name()}: {' > '.join(places)}", file=sys.stderr, flush=True)


signal.signal(signal.SIGUSR2, tell_tasks)

with (pathlib.Path(__file__).parent / "clock").open("r+b") as file:
    shift = mmap.mmap(file.fileno(), 8)
seconds, nanoseconds = time.time, time.time_ns
time.time = lambda: seconds() + struct.unpack("d", shift)[0]
time.time_ns = lambda: nanoseconds() + int(struct.unpack("d", shift)[0] * 1e9)
'''


class Node(harness.Worker):
    """A worker with a disk and a clock of its own, which is started again when it ends by itself, as a supervisor would.

    Parameters
    ----------
    folder, broker, instance
        As for `harness.Worker`.
    """

    def __init__(self, folder: Path, broker: str, instance: str | None):
        paced = 'datadir = "disk/data"\nsnapshot_records = 200\nsnapshot_seconds = 0.5'
        super().__init__(folder, broker, "", paced, instance)
        self.port = harness.steady_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.head = f'[broker]\nurl = "kafka://{broker}"\n[worker]\nweb = "127.0.0.1:{self.port}"\n{paced}\n'
        (folder / "sitecustomize.py").write_text(SITE)
        (folder / "clock").write_bytes(bytes(8))
        self.disk = folder / "disk"
        self.disk.mkdir()
        self.data = self.disk / "data"
        self.wanted = False
        self.exits: list[str] = []
        mounted = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(self.disk)]
        self.is_small = subprocess.run(mounted, capture_output=True, check=False).returncode == 0
        """Whether the disk can be filled: it is one of its own, which takes the right to mount."""

    @property
    def name(self) -> str:
        """What it is called in what is printed."""
        return self.folder.name

    def start(self) -> "Node":
        """Start it; it is not ready yet."""
        self.wanted = True
        super().start()
        return self

    def kill(self) -> None:
        """SIGKILL it and wait until it is gone."""
        self.wanted = False
        self.stop("SIGKILL")

    def end(self) -> str | None:
        """SIGTERM it and wait until it is gone; what is wrong if it does not go in time, and is killed."""
        self.wanted = False
        if self.process is None or self.process.poll() is not None:
            return None
        self.signal("SIGTERM")
        try:
            self.process.wait(ENDED_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"{self.name} had not ended {ENDED_SECONDS:.0f} s after SIGTERM"
        return None

    def revive(self) -> None:
        """Start it again if it has ended by itself."""
        if self.wanted and self.process is not None and self.process.poll() is not None:
            self.exits.append(f"exit {self.process.returncode}: {self.log()[-2000:]}")
            self.start()

    def ask(self, path: str) -> tuple[int, dict]:
        """The status and the JSON at a path; status 0 when there is no answer."""
        try:
            answer = harness.HTTP.get(self.address + path, timeout=4)
            return answer.status_code, answer.json()
        except (httpx.RequestError, ValueError) as error:
            return 0, {"detail": repr(error)}

    def shift_clock(self, seconds: float) -> None:
        """Let its wall clock be so many seconds ahead."""
        with (self.folder / "clock").open("r+b") as file:
            file.write(struct.pack("d", seconds))

    def fill_disk(self) -> None:
        """Leave no room on its disk."""
        with contextlib.suppress(OSError), (self.disk / "filler").open("ab", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))

    def free_disk(self) -> None:
        """Give the room back."""
        (self.disk / "filler").unlink(missing_ok=True)

    def close(self) -> None:
        """Kill it and give its disk back."""
        with contextlib.suppress(ProcessLookupError, AssertionError):
            self.signal("SIGCONT")
        self.kill()
        if self.is_small:
            subprocess.run(["umount", "-l", str(self.disk)], check=False)


class System:
    """Kafka, a proxy, workers, a task and a feed; use it as a context.

    Parameters
    ----------
    folder
        For all of it.
    seed
        Decides rows and settings of the task.
    workers, shards, rate
        How many workers, shards at first, and rows a second.
    """

    def __init__(self, folder: Path, seed: int, *, workers: int = 2, shards: int = 2, rate: float = 200.0):
        self.folder, self.seed, self.shards_at_first = folder, seed, shards
        self.model = "hoeffding_tree" if seed % 4 == 3 else "logistic"
        self.is_timed = seed % 2 == 1
        port, self._count = harness.steady_port(4), 0
        self.proxy = Proxy(port + 2, port, seed).start()
        self.broker = f"127.0.0.1:{port + 3}"
        properties = {
            "listeners": f"PLAINTEXT://127.0.0.1:{port},DIRECT://{self.broker},CONTROLLER://127.0.0.1:{port + 1}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port + 2},DIRECT://{self.broker}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,DIRECT:PLAINTEXT",
            "inter.broker.listener.name": "DIRECT",
            "transaction.state.log.num.partitions": "1",
        }
        self.kafka = harness.Kafka(folder / "kafka", port, properties, self.broker)
        self.nodes = [Node(folder / f"w{n}", f"127.0.0.1:{port + 2}", f"w{n}") for n in range(workers)]
        self.feed = Feed(self.broker, rate)
        self.task: Task
        self.source = ""
        self.source_from: dict[int, int] = {}
        """From which offset on each record of the source must be in the event log, which may have lost those of before."""
        self.is_complete = True
        """Whether no effect was taken out of its topic."""

    def __enter__(self) -> Self:
        try:
            self.kafka.start()
            self.begin()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all that runs."""
        self.feed.stop()
        for node in self.nodes:
            node.close()
        self.proxy.stop()
        self.kafka.kill()

    def begin(self) -> None:
        """Begin with a new task, on empty disks, and wait until the workers are ready."""
        for node in self.nodes:
            node.kill()
            node.free_disk()
            node.shift_clock(0)
            shutil.rmtree(node.data, ignore_errors=True)
        self.proxy.set("pass")
        if self.kafka.process is None:
            self.kafka.start()
        self.is_complete = True
        name = f"faults{self.seed}-{self.count()}"
        self.configure(name, self.shards_at_first, f"{name}-clicks")
        asyncio.run(prepare(self.broker, list(self.topics().values())))
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_ready(READY_SECONDS)
        self.feed.burst(FIRST_ROWS)

    def count(self) -> int:
        """A number that was not given before."""
        self._count += 1
        return self._count

    def configure(self, name: str, shards: int, source: str) -> None:
        """Write the workers' settings for this task, and aim the feed at it; workers read them when they start."""
        if source != self.source:
            self.source, self.source_from = source, {}
        timed = 'order = "event_time"\nlateness = "2s"\nlate = "quarantine"\nupdate = { batch = 16, every = "1s" }\n'
        toml = (
            f'[tasks.{name}]\nkind = "binary"\nmodel = "{self.model}"\npartitions = {shards}\npredictions = true\n'
            f'wait = "{WAIT_SECONDS}s"\nunanswered = {{ assume = false }}\n{timed if self.is_timed else ""}'
            f"[tasks.{name}.stored]\nweekly = {{ default = 0 }}\n"
            f'[[tasks.{name}.sources]]\ntopic = "{self.source}"\nlabel = "clicked"\nfeatures = {{ price = "bid.price" }}\n'
        )
        self.task = parse(tomllib.loads(toml), Path("headrace.toml")).tasks[name]
        for node in self.nodes:
            node.config.write_text(node.head + toml)
        self.feed.aim(self.task, source, self.seed * 1000 + self.count())

    def follow(self, source: str) -> None:
        """Let the task take its records from another source, which is made."""
        self.configure(self.task.name, self.task.partitions, source)
        self.make(self.topics()["source"])

    def topics(self) -> dict[str, Topic]:
        """The topics of the task and its source, by the end of their names: `events`, ..., and `source`."""
        named = {topic.name.rpartition(".")[2]: topic for topic in topics_of(self.task)}
        return named | {"source": Topic(self.source, SOURCE_PARTITIONS, {})}

    def restart(self, nodes: Iterable[Node] | None = None) -> None:
        """Kill workers and start them again; all of them if none are named."""
        nodes = self.nodes if nodes is None else list(nodes)
        for node in nodes:
            node.kill()
        for node in nodes:
            node.start()

    def stop(self) -> None:
        """Kill all workers."""
        for node in self.nodes:
            node.kill()

    def start(self) -> None:
        """Start the workers that do not run."""
        for node in self.nodes:
            if node.process is None or node.process.poll() is not None:
                node.start()

    def delete(self, *names: str) -> None:
        """Delete topics, by their whole names, and wait until they are gone."""

        async def gone() -> None:
            admin = await connect(self.broker)
            try:
                await admin.delete_topics(list(names))
                while set(names) & set(await admin.list_topics()):
                    await asyncio.sleep(0.05)
            finally:
                await admin.close()

        asyncio.run(gone())

    def make(self, topic: Topic) -> None:
        """Make a topic, if it is not there."""

        async def made() -> None:
            admin = await connect(self.broker)
            try:
                await admin.create_topics(
                    [NewTopic(topic.name, topic.partitions, 1, topic_configs=topic.wanted | topic.asked)]
                )
            finally:
                await admin.close()

        asyncio.run(made())

    def add_partitions(self, names: Iterable[str], count: int) -> None:
        """Let topics have so many partitions."""

        async def added() -> None:
            admin = await connect(self.broker)
            try:
                await admin.create_partitions({name: NewPartitions(count) for name in names})
            finally:
                await admin.close()

        asyncio.run(added())

    def ends(self, topic: str) -> dict[int, int]:
        """The end of each partition of a topic, as the broker says; empty when there is no such topic."""

        async def asked() -> dict[int, int]:
            async with Brokers.of(self.broker).consumer() as consumer:
                await consumer._client.force_metadata_update()
                there = await consumer.topics()
                if topic not in there:
                    return {}
                consumer._client.add_topic(topic)
                await consumer._client.force_metadata_update()
                partitions = consumer.partitions_for_topic(topic) or set()
                shards = [harness.TopicPartition(topic, partition) for partition in partitions]
                return {shard.partition: end for shard, end in (await consumer.end_offsets(shards)).items()}

        return asyncio.run(asked())

    def read(self, topic: str, partition: int = 0) -> list:
        """All messages of a partition as it is now."""
        return asyncio.run(harness.read_all(self.broker, topic, partition))

    def partition_folder(self, topic: str, partition: int) -> Path:
        """Where Kafka keeps a partition."""
        return self.kafka.folder / "log" / f"{topic}-{partition}"

    def keep(self, name: str) -> Path:
        """Copy what the workers have on their disks and said, to look at later."""
        kept = self.folder / name
        for node in self.nodes:
            with contextlib.suppress(ProcessLookupError, AssertionError):
                node.signal("SIGUSR2")
        time.sleep(TOLD_SECONDS)
        for node in self.nodes:
            with contextlib.suppress(OSError):  # it may be deleted, and a worker that runs changes it meanwhile
                shutil.copytree(node.data, kept / node.name)
            kept.mkdir(exist_ok=True)
            shutil.copy(node.folder / "worker.log", kept / f"{node.name}.log")
        return kept

"""Ends a worker in every state that we can think of: each must be gone within 15 s, and nothing of it left.

    PYTHONPATH=tests .venv/bin/python tests/crash/endings.py [--count 50] [--seed 7] [--only STATE,...]

States are drawn at random after each has had its turn. A broker of its own is killed, paused and started again on the way.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import harness

from headrace.tables.kafka.producer import producing

LIMIT_SECONDS = 15.0
"""How long a worker may take to end after its first signal."""

ALONE_SECONDS = 30.0
"""How long one may live on that must end by itself, because a model has ended its loop, before it is sent SIGTERM after all."""

MODEL = '''
import re, sys, time, asyncio
from river import linear_model


class Acting(linear_model.LogisticRegression):
    """Does what a feature says, when it learns or when it is asked."""

    def act(self, x, when):
        name = x.get(when)
        if name == "sleep":
            time.sleep(30)
        elif name == "loop":
            while True:
                pass
        elif name == "regex":  # holds the interpreter's lock, but lets signals in
            re.match(r"(a+)+$", "a" * 60 + "b")
        elif name == "exit":
            sys.exit("a model has had enough")
        elif name == "interrupt":
            raise KeyboardInterrupt
        elif name == "cancel":
            raise asyncio.CancelledError
        elif name == "big":
            self.ballast = [float(number) for number in range(4_000_000)]

    def learn_one(self, x, y):
        self.act(x, "learn")
        super().learn_one({"a": x.get("a", 0.0)}, y)

    def predict_proba_one(self, x):
        self.act(x, "predict")
        return super().predict_proba_one({"a": x.get("a", 0.0)})


def model():
    return Acting()
'''


class Scene:
    """A worker in the making, and what its state needs."""

    def __init__(self, kafka: harness.Kafka, folder: Path, dice: random.Random):
        self.kafka, self.folder, self.dice = kafka, folder, dice
        self.task = f"end{uuid.uuid4().hex[:8]}"
        self.worker = self.make(folder / "worker")
        self.signals = ["SIGTERM"]
        self.ends_alone = False
        self.stack = contextlib.ExitStack()

    def make(self, folder: Path) -> harness.Worker:
        """A worker that is not started yet."""
        toml = f'[tasks.{self.task}]\nkind = "binary"\nmodel = "acting:model"\npartitions = 2\nwait = "1h"\n'
        worker = harness.Worker(folder, self.kafka.address, toml, "snapshot_seconds = 0.3")
        (folder / "acting.py").write_text(MODEL)
        return worker

    def ready(self) -> None:
        """Start the worker, and wait until it can answer."""
        self.worker.start().wait_ready(90)

    def send(self, *records: dict) -> None:
        """Append records to one shard."""
        rows = [(0, json.dumps(record).encode()) for record in records]
        asyncio.run(harness.append(self.kafka.address, f"{self.task}.events", rows))

    def learn(self, act: str) -> None:
        """Have the model act while it learns."""
        self.ready()
        self.send({"features": {"a": 1.0, "learn": act}, "label": True})
        time.sleep(self.dice.uniform(1, 3))

    def stream(self, record: Callable[[int], dict]) -> None:
        """Append records for as long as the scene lasts."""
        over = threading.Event()

        async def append() -> None:
            async with producing(self.kafka.address) as producer:
                number = 0
                while not over.is_set():
                    for _ in range(50):
                        number += 1
                        value = json.dumps(record(number)).encode()
                        await producer.send(f"{self.task}.events", value, partition=number % 2)
                    await asyncio.sleep(0.02)

        def feed() -> None:
            with contextlib.suppress(Exception):
                asyncio.run(append())

        thread = threading.Thread(target=feed, daemon=True)
        thread.start()
        self.stack.callback(thread.join, 60)
        self.stack.callback(over.set)

    def in_background(self, call: Callable[[], object]) -> None:
        """Call something that may take as long as the worker lives."""

        def run() -> None:
            with contextlib.suppress(Exception):
                call()

        threading.Thread(target=run, daemon=True).start()

    def start_with(self, stderr: int | None) -> None:
        """Start the worker with another stderr; None is a closed one."""
        environment = os.environ | {"PYTHONPATH": f"{harness.ROOT}{os.pathsep}{self.worker.folder}"}
        command = [*harness.HEADRACE, "worker", "--config", str(self.worker.config), "--log-level", "debug"]
        if stderr is None:
            command = ["bash", "-c", 'exec "$@" 2>&-', "bash", *command]
        self.worker.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True, env=environment, cwd=self.worker.folder
        )  # fmt: skip


def sample(number: int) -> dict:
    """A record to learn from."""
    return {"features": {"a": number % 7 / 7}, "label": number % 2 == 0}


def idle(scene: Scene) -> None:
    """Nothing is going on."""
    scene.ready()


def starting(scene: Scene) -> None:
    """It has just been started, and is not in its group yet."""
    scene.worker.start()
    time.sleep(scene.dice.uniform(0.5, 6))


def trying(scene: Scene) -> None:
    """Its model, which is tried at the start, does not return."""
    module = scene.worker.folder / "acting.py"
    module.write_text(MODEL.replace('self.act(x, "learn")', 'self.act({"learn": "loop"}, "learn")'))
    scene.worker.start()
    time.sleep(scene.dice.uniform(1, 6))


def learning(scene: Scene) -> None:
    """Records come as fast as they can be made."""
    scene.ready()
    scene.stream(sample)
    time.sleep(scene.dice.uniform(1, 4))


def broker_killed(scene: Scene) -> None:
    """The broker was killed while records came."""
    scene.ready()
    scene.stream(sample)
    time.sleep(scene.dice.uniform(0.5, 2))
    scene.kafka.kill()
    scene.stack.callback(scene.kafka.start)
    time.sleep(scene.dice.uniform(0, 6))


def broker_paused(scene: Scene) -> None:
    """The broker does not answer, and its connections stand."""
    scene.ready()
    scene.stream(sample)
    time.sleep(scene.dice.uniform(0.5, 2))
    scene.kafka.signal("SIGSTOP")
    scene.stack.callback(scene.kafka.signal, "SIGCONT")
    time.sleep(scene.dice.uniform(0, 8))


def started_without_broker(scene: Scene) -> None:
    """The broker has not answered since the worker was started."""
    scene.kafka.signal("SIGSTOP")
    scene.stack.callback(scene.kafka.signal, "SIGCONT")
    scene.worker.start()
    harness.wait_for(lambda: "starting" in scene.worker.log(), 30, "the worker asks the broker")
    time.sleep(scene.dice.uniform(0, 6))


def disk_full(scene: Scene) -> None:
    """There is no room for the databases."""
    data = scene.worker.folder / "data"
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(data)], check=True)
    scene.stack.callback(subprocess.run, ["umount", "--lazy", str(data)])
    scene.ready()
    with contextlib.suppress(OSError), (data / "ballast").open("wb") as ballast:
        while True:
            ballast.write(bytes(1 << 16))
            ballast.flush()
    scene.stream(lambda number: {"id": f"q{number}", "features": {"a": number % 7 / 7, "b": "x" * 2_000}})
    harness.wait_for(lambda: "No space left" in scene.worker.log(), 60, lambda: f"no space; log:\n{scene.worker.log()}")
    time.sleep(scene.dice.uniform(0, 4))


def datadir_deleted(scene: Scene) -> None:
    """The databases were deleted under the worker."""
    scene.ready()
    scene.stream(lambda number: {"id": f"q{number}", "features": {"a": number % 7 / 7}})
    time.sleep(1)
    shutil.rmtree(scene.worker.folder / "data", ignore_errors=True)
    time.sleep(scene.dice.uniform(0, 4))


def rebalance(scene: Scene) -> None:
    """Another worker joins."""
    scene.ready()
    scene.stream(sample)
    other = scene.make(scene.folder / "other").start()
    scene.stack.callback(other.stop, "SIGKILL")
    time.sleep(scene.dice.uniform(1, 7))


def big_snapshot(scene: Scene) -> None:
    """A snapshot of a large state is being taken."""
    scene.ready()
    scene.send({"features": {"a": 1.0, "learn": "big"}, "label": True})
    scene.stream(sample)
    time.sleep(scene.dice.uniform(1, 6))


def requests_in_flight(scene: Scene) -> None:
    """Clients wait for answers, and one has sent half of its request."""
    scene.ready()
    scene.stream(sample)
    asked = {"features": {"a": 1.0}, "key": "k", "min_position": 10**9, "wait_s": 10}
    for _ in range(20):
        scene.in_background(lambda: scene.worker.post(f"/v1/{scene.task}/predict", asked, timeout=60))
    half = harness.socket.create_connection(("127.0.0.1", scene.worker.port))
    half.sendall(f"POST /v1/{scene.task}/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{{".encode())
    scene.stack.callback(half.close)
    rows = [(number % 2, json.dumps({"features": {"a": 1.0}}).encode()) for number in range(2_000)]
    asyncio.run(harness.append(scene.kafka.address, f"{scene.task}.requests", rows))
    time.sleep(scene.dice.uniform(0, 2))


def model_sleeps(scene: Scene) -> None:
    """A model sleeps for long."""
    scene.learn("sleep")


def model_never_returns(scene: Scene) -> None:
    """A model loops for ever."""
    scene.learn("loop")


def model_holds_the_lock(scene: Scene) -> None:
    """A model is in a regular expression that takes for ever, in which no other thread runs."""
    scene.learn("regex")


def model_never_answers(scene: Scene) -> None:
    """A model loops for ever when it is asked."""
    scene.ready()
    scene.in_background(
        lambda: scene.worker.post(f"/v1/{scene.task}/predict", {"features": {"predict": "loop"}}, timeout=60)
    )
    time.sleep(1)


def model_exits(scene: Scene) -> None:
    """A model calls `sys.exit` when it learns."""
    scene.ends_alone = True
    scene.learn("exit")


def model_exits_when_asked(scene: Scene) -> None:
    """A model calls `sys.exit` when it is asked."""
    scene.ends_alone = True
    scene.ready()
    scene.in_background(
        lambda: scene.worker.post(f"/v1/{scene.task}/predict", {"features": {"predict": "exit"}}, timeout=60)
    )
    time.sleep(1)


def model_interrupts(scene: Scene) -> None:
    """A model raises KeyboardInterrupt when it learns."""
    scene.ends_alone = True
    scene.learn("interrupt")


def model_cancels(scene: Scene) -> None:
    """A model raises CancelledError when it learns."""
    scene.learn("cancel")


def model_cancels_a_request(scene: Scene) -> None:
    """A model raises CancelledError in the answer to a question over Kafka."""
    scene.ready()
    rows = [(0, json.dumps({"features": {"predict": "cancel"}}).encode())]
    asyncio.run(harness.append(scene.kafka.address, f"{scene.task}.requests", rows))
    time.sleep(2)


def stderr_closed(scene: Scene) -> None:
    """There was no stderr from the beginning."""
    scene.start_with(None)
    scene.worker.wait_ready(90)


def stderr_reader_gone(scene: Scene) -> None:
    """Nobody reads stderr any more."""
    reader, writer = os.pipe()
    scene.start_with(writer)
    os.close(writer)
    scene.worker.wait_ready(90)
    os.close(reader)
    scene.stream(sample)
    time.sleep(scene.dice.uniform(1, 3))


def stderr_not_read(scene: Scene) -> None:
    """Stderr is a pipe that is full."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 512)
    os.set_blocking(writer, True)
    scene.start_with(writer)
    os.close(writer)
    scene.stack.callback(os.close, reader)
    scene.worker.wait_ready(90)


def terminated_twice(scene: Scene) -> None:
    """It is sent SIGTERM twice."""
    scene.ready()
    scene.stream(sample)
    scene.signals = ["SIGTERM", "SIGTERM"]
    time.sleep(1)


def interrupted(scene: Scene) -> None:
    """It is sent SIGINT."""
    scene.ready()
    scene.signals = ["SIGINT"]


def interrupted_twice(scene: Scene) -> None:
    """It is sent SIGINT twice, and the broker does not answer."""
    broker_paused(scene)
    scene.signals = ["SIGINT", "SIGINT"]


def paused(scene: Scene) -> None:
    """It is paused, sent SIGTERM, and continued."""
    scene.ready()
    scene.stream(sample)
    time.sleep(1)
    scene.signals = ["SIGSTOP", "SIGTERM", "SIGCONT"]


STATES: dict[str, Callable[[Scene], None]] = {
    state.__name__: state
    for state in (
        idle, starting, trying, learning, broker_killed, broker_paused, started_without_broker, disk_full, datadir_deleted,
        rebalance, big_snapshot, requests_in_flight, model_sleeps, model_never_returns, model_holds_the_lock,
        model_never_answers, model_exits, model_exits_when_asked, model_interrupts, model_cancels,
        model_cancels_a_request, stderr_closed, stderr_reader_gone, stderr_not_read, terminated_twice, interrupted,
        interrupted_twice, paused,
    )
}  # fmt: skip


def end(kafka: harness.Kafka, folder: Path, name: str, dice: random.Random) -> tuple[bool, str]:
    """Bring a worker into a state and end it; whether it ended as it should, and what is to be said of it."""
    scene = Scene(kafka, folder, dice)
    try:
        with scene.stack:
            STATES[name](scene)
            process, note = scene.worker.process, ""
            assert process is not None
            if scene.ends_alone:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(ALONE_SECONDS)
            started = time.monotonic()
            for number, sent in enumerate(
                scene.signals if process.poll() is None else ["none: it had ended by itself"]
            ):
                note += f"{', ' * (number > 0)}{sent}"
                if process.poll() is None:
                    time.sleep(0.5 * (number > 0))
                    with contextlib.suppress(ProcessLookupError):
                        scene.worker.signal(sent)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LIMIT_SECONDS)
            took, status = time.monotonic() - started, process.poll()
            left = [pid for pid in members(process.pid) if status is not None or pid != process.pid]
            ended = status is not None and not left
            if not ended:
                print(scene.worker.log()[-3000:])
            text = "STILL ALIVE" if status is None else f"{took:5.1f} s, exit status {status}"
            return ended, f"{text}  ({note}){f'; LEFT: {left}' if left else ''}"
    finally:
        if scene.worker.process is not None:
            scene.worker.stop("SIGKILL")


def members(group: int) -> list[int]:
    """The processes of a process group that are not dead."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, member = stat.read_text().rpartition(")")[2].split()[:3]
            if int(member) == group and state != "Z":
                found.append(int(stat.parent.name))
    return found


def draw(count: int, seed: int, names: list[str]) -> Iterator[str]:
    """States: every one, in a random order, then more."""
    dice = random.Random(seed)
    states = dice.sample(names, len(names))
    yield from (states + dice.choices(names, k=max(0, count - len(states))))[:count]


def run(count: int, seed: int, names: list[str]) -> bool:
    """End so many workers; whether all ended in time."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="endings-") as folder:
        (Path(folder) / "kafka").mkdir()
        kafka = harness.Kafka(Path(folder) / "kafka").start()
        try:
            for number, name in enumerate(draw(count, seed, names)):
                place = Path(folder) / f"{number}"
                place.mkdir()
                ended, text = end(kafka, place, name, random.Random(f"{seed}/{number}"))
                failed += not ended
                print(f"{number + 1:3}/{count} {'ok    ' if ended else 'FAILED'} {name:24} {text}", flush=True)
        finally:
            kafka.kill()
    print(f"{count} endings in {len(set(draw(count, seed, names)))} states: {failed} failed", flush=True)
    return not failed


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", help="states, separated by commas", default=",".join(STATES))
    options = parser.parse_args()
    logging.disable()  # what this program's own producers say while it takes the broker away
    sys.exit(not run(options.count, options.seed, options.only.split(",")))


if __name__ == "__main__":
    main()

"""`headrace top`: one table without a terminal; on a terminal a live one, which outlives the worker and ends at a key."""

import contextlib
import io
import os
import pty
import re
import select
import signal
import subprocess
import time
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace

import harness
import msgspec
import pytest

from headrace import Client
from headrace.app.answers import Status
from headrace.app.cli.board import TaskBoard, as_table
from headrace.app.cli.screen import Screen

NAME = f"top-{uuid.uuid4().hex[:8]}"
TOML = f"""
[tasks.{NAME}]
kind = "binary"
partitions = 2

[tasks.{NAME}-amounts]
kind = "regression"
"""


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    started = harness.Worker(tmp_path_factory.mktemp("top"), broker, TOML, instance="one").start()
    try:
        started.wait_ready()
        with Client(started.address) as client:
            client.samples(NAME, [{"features": {"x": n % 7}, "label": n % 7 > 3, "key": f"k{n}"} for n in range(300)])
            client.samples(f"{NAME}-amounts", [{"features": {"x": n}, "label": 2.0 * n} for n in range(50)])
            for task, count in ((NAME, 300), (f"{NAME}-amounts", 50)):
                harness.wait_for(
                    lambda task=task, count=count: sum(one.updates for one in client.status(task).shards) == count,
                    20,
                    "learned",
                )
        yield started
    finally:
        started.stop("SIGKILL")


class Terminal:
    """A command on a terminal of its own, 200 columns wide."""

    def __init__(self, worker, *words):
        self.controller, inside = pty.openpty()
        environment = worker.environment() | {"COLUMNS": "200", "LINES": "40", "TERM": "xterm-256color"}
        arguments = [*worker.command, "top", "--config", str(worker.config), *words]
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background jobs ignore it
        self.process = subprocess.Popen(
            arguments,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env=environment,
            cwd=worker.folder,
            start_new_session=True,
        )
        signal.signal(signal.SIGINT, before)
        os.close(inside)
        self.shown = ""

    def wait_for(self, text, seconds=40.0):
        """Read until a text is shown, and forget what was shown before its end."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} was not shown; but: {self.shown[-3000:]}"
            if select.select([self.controller], [], [], 0.2)[0]:
                read = os.read(self.controller, 1 << 16).decode(errors="replace")
                self.shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown + read)
        self.shown = self.shown.partition(text)[2]

    def end_by(self, way):
        """Press `q`, or interrupt it as Ctrl-C does, and return the exit status."""
        if way == "q":
            os.write(self.controller, b"q")
        else:
            self.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < deadline:  # what it still writes must be read
            if select.select([self.controller], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    os.read(self.controller, 1 << 16)
        return self.process.wait(1)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.controller)


@pytest.fixture
def terminal(worker):
    opened = []

    def start(*words):
        opened.append(Terminal(worker, *words))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_without_a_terminal_it_prints_one_table_and_ends(worker):
    done = subprocess.run(
        [*worker.command, "top", "--config", str(worker.config)],
        env=worker.environment() | {"COLUMNS": "200"}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with Client(worker.address) as client:
        status = client.status(NAME)
    rows = [line for line in done.stdout.splitlines() if "live" in line]
    assert len(rows) == 3
    for row, shard in zip(rows, status.shards, strict=False):
        assert f" {shard.position} " in row
        assert f"accuracy {shard.arms['champion'].metrics['accuracy']:.4f}" in row
    assert "mae " in rows[2]
    only = worker.run("top", "--once", f"{NAME}-amounts").stdout
    assert "accuracy" not in only
    assert worker.run("top", "none").returncode == 2


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_a_narrow_terminal_shows_state_and_accuracy_of_each_shard_uncut(worker, columns):
    done = subprocess.run(
        [*worker.command, "top", "--config", str(worker.config), NAME],
        env=worker.environment() | {"COLUMNS": str(columns)}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with Client(worker.address) as client:
        status = client.status(NAME)
    rows = [line for line in done.stdout.splitlines() if "live" in line]
    assert len(rows) == 2
    for row, shard in zip(rows, status.shards, strict=True):
        assert f"accuracy {shard.arms['champion'].metrics['window']['accuracy']:.4f}" in row
    assert max(map(len, done.stdout.splitlines())) <= columns
    assert "…" not in done.stdout
    assert ("version" in done.stdout) == (columns == 200)


def test_a_signal_stays_where_its_column_has_no_room():
    signal = SimpleNamespace(partition=0, time=0.0, detector="adwin", watched="error", direction="worse")
    board = TaskBoard()
    board.signals = [signal]
    status = {
        "task": "ads",
        "kind": "binary",
        "partitions": 1,
        "logging": {},
        "shards": [{"partition": 0, "state": "live"}],
    }
    board.status = msgspec.convert(status | {"overall": {"shards": [], "arms": {}, "served": {}}}, Status)
    for width in (200, 40):
        screen = Screen(width=width, file=io.StringIO())
        screen.print(as_table({"ads": board}, "http://mill:6066", datetime(2026, 1, 1, tzinfo=UTC), width))
        shown = " ".join(screen.file.getvalue().split())
        assert "01-01 00:00:00 adwin: error worse" in shown
        assert ("last signal" in shown) == (width == 200)


def test_without_a_worker_it_says_so_and_fails(worker, tmp_path):
    config = tmp_path / "headrace.toml"
    config.write_text(worker.config.read_text().replace(str(worker.port), str(harness.free_port())))
    done = subprocess.run(
        [*worker.command, "top", "--once", "--config", str(config)],
        env=worker.environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no worker answers" in done.stderr


@pytest.mark.parametrize("way", ["q", "Ctrl-C"])
def test_it_refreshes_until_a_key_ends_it(worker, terminal, way):
    shown = terminal(NAME)
    for _ in range(3):
        shown.wait_for("live")
        shown.wait_for("updates/s")
    with Client(worker.address) as client:
        before = client.status(NAME).shards[0].position
        client.sample(NAME, {"x": 1.0}, label=True, key="k0")
        harness.wait_for(lambda: all(one.position == one.end for one in client.status(NAME).shards), 20, "folded")
        positions = [one.position for one in client.status(NAME).shards]
    assert before
    for position in positions:
        shown.wait_for(str(position))
    assert shown.end_by(way) == 0


def test_it_goes_on_when_the_worker_goes_away_and_comes_back(worker, terminal):
    shown = terminal()
    shown.wait_for("live")
    worker.stop("SIGKILL")
    shown.wait_for("no worker answers")
    worker.start().wait_ready()
    shown.wait_for("UTC")
    for _ in range(2):
        shown.wait_for("live")
        shown.wait_for(f"{NAME}-amounts")
    harness.wait_for(lambda: not has_failed(shown), 20, "a table without a failure")
    assert shown.end_by("q") == 0


def has_failed(shown):
    """Whether the next whole table tells of a failure."""
    shown.wait_for("UTC")
    frame_begins = shown.shown
    shown.wait_for("UTC")
    return "no worker answers" in frame_begins.partition("UTC")[0]


def test_rates_are_of_the_last_looks_and_begin_anew_with_a_worker(worker):
    with Client(worker.address) as client:
        status = client.status(NAME)
    board = TaskBoard()
    board.see(status, 10.0)
    assert board.answers_per_second is None
    later = msgspec.structs.replace(
        status,
        answered=status.answered + 30,
        shards=[msgspec.structs.replace(one, updates=one.updates + 8) for one in status.shards],
    )
    board.see(later, 12.0)
    assert (board.answers_per_second, board.updates_per_second(1)) == (15.0, 4.0)
    board.miss("it is away")
    board.see(status, 20.0)
    assert board.updates_per_second(1) is None
    assert board.failure == ""

"""The demo: its second act with fewer questions, the order of acts, and the output on a terminal."""

import asyncio
import io
import os
import re
import sys
import time
import uuid

import aiohttp
import pytest
from fork_server import SERVER
from rich.console import Console

import headrace.app.demo.later
from headrace.app.broker import free_port
from headrace.app.command import HEADRACE
from headrace.app.demo.act import Act, play
from headrace.app.demo.changed import Changed
from headrace.app.demo.compared import Compared
from headrace.app.demo.later import LaterLabels
from headrace.app.demo.process import Worker
from headrace.app.demo.screen import Terminal
from headrace.app.demo.stage import Stage, meanwhile
from headrace.learning.errors import HeadraceError


@pytest.fixture
def forked(monkeypatch):
    """Workers of the demo are forked from a process that has imported all."""

    def start(worker):
        worker.started = time.monotonic()
        arguments, environment = ["headrace", *worker.command[len(HEADRACE) :]], dict(os.environ)
        worker.process = SERVER.start(arguments, environment, worker.log.parent, worker.log, worker.log)

    monkeypatch.setattr(Worker, "start", start)


def stage_at(folder, broker, **options):
    return Stage(folder, broker, Terminal(Console(file=io.StringIO(), width=80)), **options)


def shown(stage):
    return stage.screen.console.file.getvalue()


def test_a_broker_that_cannot_be_reached_is_named_at_once(headrace):
    called = headrace("demo", "--broker", f"127.0.0.1:{free_port()}")
    assert called.status == 1
    assert called.out == ""
    assert "cannot be reached" in called.err
    assert "leave --broker out" in called.err


def test_no_question_fails_while_a_worker_is_killed_and_the_accuracy_is_rivers(tmp_path, broker, forked, monkeypatch):
    monkeypatch.setattr(headrace.app.demo.later, "QUESTIONS", 150)
    monkeypatch.setattr(LaterLabels, "ready_seconds", 180.0)  # tests may run on a busy machine
    stage, started, killed = stage_at(tmp_path, broker, embedded=False, prefix=f"demo-{uuid.uuid4().hex[:8]}"), [], []
    kill, start = Worker.kill, Worker.start
    monkeypatch.setattr(Worker, "kill", lambda worker: (kill(worker), killed.append(worker.name)))
    monkeypatch.setattr(Worker, "start", lambda worker: (start(worker), started.append(worker.name)))
    assert asyncio.run(play([LaterLabels], stage)), shown(stage)
    assert started == ["one", "two", *killed], "one was killed and started again"
    assert "Equal, and no question failed." in shown(stage)
    assert " 0 failed" in shown(stage)
    assert max(len(line) for line in shown(stage).splitlines()) <= 80


def test_a_drift_is_noticed_and_flipped_labels_are_rolled_back_and_unlearned(tmp_path, broker, forked, monkeypatch):
    monkeypatch.setattr(Changed, "ready_seconds", 180.0)  # tests may run on a busy machine
    stage = stage_at(tmp_path, broker, embedded=False, prefix=f"demo-{uuid.uuid4().hex[:8]}")
    assert asyncio.run(play([Changed], stage)), shown(stage)
    text = " ".join(shown(stage).split())
    assert "evidence noticed it: learning rate times 5" in text
    assert "the guard 'degraded': rolled back from" in text
    assert "Equal to the last bit." in text


class Scene(Act):
    """An act whose worker sleeps."""

    title, story, names = "A scene", "Nothing happens.", ("one",)
    program = "import time; time.sleep(60)"
    good = True

    def __init__(self, stage):
        super().__init__(stage)
        self.workers[0].command = [sys.executable, "-c", self.program]
        self.stage.scenes = [*getattr(stage, "scenes", []), self]
        self.what = []

    def start(self):
        super().start()
        self.what.append("started")

    async def wait_ready(self, http):
        self.what.append("ready")

    def figures(self):
        return {}

    async def play(self, http, start_next):
        self.what.append("played")
        start_next()
        self.what.append(f"next is {self.stage.scenes[-1].what[0]}")
        return self.good


class Second(Scene):
    topic = "-second"


class Different(Scene):
    good = False


@pytest.fixture
def dry(tmp_path):
    """A stage without a broker."""
    return stage_at(tmp_path, "127.0.0.1:1", embedded=True)


def all_ended(stage):
    return all(worker.process.returncode is not None for scene in stage.scenes for worker in scene.workers)


def test_an_act_starts_the_workers_of_the_next(dry):
    assert asyncio.run(play([Scene, Second], dry))
    first, second = dry.scenes
    assert first.what == ["started", "ready", "played", "next is started"]
    assert second.what[:3] == ["started", "ready", "played"]
    assert all_ended(dry)


def test_a_difference_ends_the_demo_and_all_workers(dry):
    assert not asyncio.run(play([Different, Second], dry))
    assert dry.scenes[1].what == ["started"]
    assert all_ended(dry)


def test_a_worker_that_ends_by_itself_is_told_with_the_last_line_of_its_log(dry):
    class Broken(Scene):
        program = "import sys; sys.exit('no such model')"
        wait_ready = Act.wait_ready

    with pytest.raises(HeadraceError, match="worker one has ended: no such model"):
        asyncio.run(play([Broken], dry))


def test_a_worker_that_is_not_ready_in_time_is_named(dry):
    class Slow(Scene):
        ready_seconds = 0.1
        wait_ready = Act.wait_ready

    with pytest.raises(HeadraceError, match=r"worker one was not ready within 0\.1 s"):
        asyncio.run(play([Slow], dry))
    assert all_ended(dry)


def test_an_error_in_what_goes_on_meanwhile_ends_the_act():
    async def fail():
        raise HeadraceError("no rows are left.", "Send some.")

    async def act():
        async with meanwhile(fail()):
            await asyncio.sleep(60)

    with pytest.raises(HeadraceError, match="no rows are left"):
        asyncio.run(asyncio.wait_for(act(), 5))


def test_a_challenger_is_promoted_and_the_page_goes_on_until_a_key_is_pressed(tmp_path, broker, forked, monkeypatch):
    monkeypatch.setattr(Compared, "ready_seconds", 180.0)  # tests may run on a busy machine
    stage, positions = stage_at(tmp_path, broker, embedded=False, prefix=f"demo-{uuid.uuid4().hex[:8]}"), []

    async def key_pressed():
        address = re.search(r"http://[\d.:]+", shown(stage))[0]
        async with aiohttp.ClientSession() as http:
            while len(set(positions)) < 3:  # rows go on to come
                async with http.get(f"{address}/v1/{stage.prefix}-compared") as answer:
                    positions.append((await answer.json())["shards"][0]["position"])
                async with http.get(f"{address}/tasks/{stage.prefix}-compared") as page:
                    assert page.status == 200
                await asyncio.sleep(0.2)

    assert asyncio.run(play([Compared], stage, key_pressed)), shown(stage)
    text = " ".join(shown(stage).split())
    assert "bayes is better than champion; promoted bayes" in text
    assert "Equal to the last bit." in text
    assert "Press a key to end." in text
    assert len(set(positions)) >= 3

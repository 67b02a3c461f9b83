"""Background tasks are started again when they fail, and parts are stopped whatever they do."""

import ast
import asyncio
import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog

from headrace.agents.background import Background, BackgroundStatus, Errands
from headrace.agents.learn import LearningApp
from headrace.agents.pace import Pace
from headrace.agents.stopping import stop_all
from headrace.learning.plain import plain_error


class Pauses:
    """Takes no time to sleep, and remembers how long it was to be; the last pause never ends."""

    def __init__(self, count):
        self.count, self.slept = count, []
        self.over = asyncio.Event()

    async def __call__(self, seconds):
        self.slept.append(seconds)
        if len(self.slept) == self.count:
            self.over.set()
            await asyncio.sleep(1000)


class Panic(BaseException):
    """As Rust's."""


def said(error):
    """What is told of an error; a task that was cancelled has lost its text."""
    return "cancelled" if isinstance(error, asyncio.CancelledError) else plain_error(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("x"), Panic("x"), SystemExit(0), KeyboardInterrupt(), asyncio.CancelledError("x")]
)
def test_whatever_ends_a_background_task_it_is_started_again_and_counted(error):
    async def run():
        ran, pauses = [], Pauses(3)

        async def fail():
            ran.append(1)
            await asyncio.sleep(0)
            raise error

        with structlog.testing.capture_logs() as logs:
            task = Background("requests", fail, pace=Pace(restart=3.0), sleep=pauses).start()
            await pauses.over.wait()
            assert len(ran) == 3
            assert task.describe().failures == 3
            assert task.describe().state == "waiting"
            assert task.describe().error == said(error)
            await task.stop()
        assert task.describe().state == "stopped"
        assert pauses.slept == [3.0, 6.0, 12.0]
        assert [line["log_level"] for line in logs] == ["error"] * 3

    asyncio.run(run())


def test_the_pauses_are_bounded_and_short_again_after_a_calm_time():
    async def run():
        pauses, now, pace = Pauses(12), [0.0], Pace()

        async def fail():
            if len(pauses.slept) == 10:
                now[0] += pace.calm
            raise RuntimeError

        task = Background("x", fail, pace=pace, sleep=pauses, clock=lambda: now[0]).start()
        await pauses.over.wait()
        await task.stop()
        assert max(pauses.slept) == pauses.slept[9] == pace.restart_max
        assert pauses.slept[10:] == [pace.restart, 2 * pace.restart]

    asyncio.run(run())


def test_a_background_task_that_returns_has_ended_and_one_that_is_stopped_has_cleaned_up():
    async def run():
        cleaned = []

        async def returns():
            pass

        async def runs():
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(0)
                cleaned.append(True)

        first, second = Background("x", returns).start(), Background("y", runs).start()
        await asyncio.sleep(0.01)
        assert first.describe().state == "ended"
        assert second.describe().state == "running"
        await first.stop()
        await second.stop()
        assert cleaned == [True]
        assert second.describe().failures == 0

    asyncio.run(run())


@pytest.mark.parametrize("error", [RuntimeError("x"), Panic("x"), SystemExit(0), asyncio.CancelledError("x")])
def test_an_errand_that_fails_is_counted_and_logged_and_the_next_one_runs(error):
    async def run():
        errands, ran = Errands("saves", "it was not saved", task="ads"), []

        async def fail():
            await asyncio.sleep(0)
            raise error

        async def succeed():
            ran.append(1)

        with structlog.testing.capture_logs() as logs:
            errands.start(fail())
            assert errands.are_running
            await errands.wait()
            errands.start(succeed())
            await errands.wait()
        assert ran == [1]
        assert errands.describe() == BackgroundStatus("saves", "ended", 1, errands.error)
        assert errands.error == said(error)
        assert logs == [{"event": "it was not saved", "log_level": "warning", "task": "ads", "error": errands.error}]

    asyncio.run(run())


def test_an_errand_that_is_cancelled_has_not_failed_and_who_stops_waiting_cuts_nothing_off():
    async def run():
        errands, ended = Errands("saves", "it was not saved"), []

        async def lasts(seconds):
            await asyncio.sleep(seconds)
            ended.append(seconds)

        errands.start(lasts(0.02))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(errands.wait(), 0.001)
        await errands.wait()
        errands.start(lasts(1000))
        await errands.wait(0.001)
        assert errands.are_running
        errands.cancel()
        await errands.wait()
        assert (ended, errands.failures) == ([0.02], 0)

    asyncio.run(run())


def test_parts_are_stopped_at_once_and_none_keeps_another_from_it():
    async def run():
        stopped = []

        async def stops(name):
            await asyncio.sleep(0)
            stopped.append(name)

        async def fails():
            raise OSError(28, "no room")

        async def cancelled():
            raise asyncio.CancelledError

        async def hangs():
            await asyncio.Event().wait()

        with structlog.testing.capture_logs() as logs:
            parts = [("a", stops("a")), ("b", fails()), ("c", cancelled()), ("d", hangs()), ("e", stops("e"))]
            await stop_all(parts, 0.05)
        assert stopped == ["a", "e"]
        assert {line["part"] for line in logs} == {"b", "c", "d"}
        await stop_all([], 1)

    asyncio.run(run())


def test_a_task_that_loses_a_cancellation_is_cancelled_again():
    async def run():
        lost = []

        async def loses():
            while True:
                try:
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    if lost:
                        raise
                    lost.append(True)

        task = Background("x", loses).start()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.wait_for(task.stop(), 2)
        assert lost == [True]

    asyncio.run(run())


ROOMS = Path(__file__).parents[2]
SUPERVISORS = {
    "agents/background.py": "supervises",
    "agents/stopping.py": "waits for all, and logs those that fail",
    "tables/kafka/clients.py": "closes a client, whatever that raises",
    "tables/kafka/producer.py": "closes a client, whatever that raises",
    "app/serving/request_appender.py": "counts and logs each append, however it ends",
    "agents/notifier.py": "the one that sends is looked at after each poll, and its error raised",
    "app/tracing.py": "waits for the last spans, for a second at most",
    "app/page/feed.py": "what a beat or a sender raises is raised to its listeners",
    "app/ending.py": "runs the worker itself, and waits for what it starts",
    "app/load/load.py": "waits for every request of a load, and counts those that fail",
}
"""The modules that may start tasks, and why none of these ends unseen."""

EXEMPT = ("app/cli/", "app/demo/")
"""Commands whose loop ends with them."""


def starts_of(path):
    """The lines of a module in which a task is started."""
    names = {"create_task", "ensure_future", "run_coroutine_threadsafe"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", None)) in names:
            yield node.lineno


def test_no_task_is_started_that_could_end_unseen():
    """What runs beside the rest is a `Background` or one of `Errands`."""
    found = set()
    for room in ("agents", "tables", "app"):
        for path in (ROOMS / room).rglob("*.py"):
            name = path.relative_to(ROOMS).as_posix()
            if any(starts_of(path)) and not name.startswith(EXEMPT):
                found.add(name)
    assert found == set(SUPERVISORS)


def test_the_status_of_a_worker_tells_of_every_background_task():
    async def run():
        saves = Errands("snapshots of shard 0 of ads", "a snapshot was not saved")

        async def fail():
            raise OSError(28, "no room")

        saves.start(fail())
        await saves.wait()
        tasks = {name: Background(name, fail) for name in ("group", "arrivals", "source", "replicas", "shard 0")}
        shards = SimpleNamespace(
            replicas=SimpleNamespace(following=tasks["replicas"]),
            watches={0: tasks["shard 0"]},
            owned={0: SimpleNamespace(saver=SimpleNamespace(errands=saves), mirroring=None)},
        )
        app = SimpleNamespace(
            background=[tasks["group"]],
            described=[tasks["arrivals"]],
            ingesting={"ads": SimpleNamespace(watches={("clicks", 0): tasks["source"]})},
            learning={"ads.events": shards},
        )
        described = {status.name: status for status in LearningApp.describe_background(app)}
        assert described.keys() == {*tasks, saves.name}
        assert (described[saves.name].failures, described[saves.name].error) == (1, "no room")

    asyncio.run(run())


def test_an_errand_that_is_cancelled_before_its_first_step_is_closed():
    async def run():
        errands = Errands("saves", "not saved")
        errand = asyncio.sleep(10)
        errands.start(errand)
        errands.cancel()
        await errands.wait()
        await asyncio.sleep(0)
        return inspect.getcoroutinestate(errand), errands.are_running, errands.failures

    assert asyncio.run(run()) == (inspect.CORO_CLOSED, False, 0)

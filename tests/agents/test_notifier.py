"""Signals reach a hook at least once, and a hook that fails or hangs costs neither the fold nor memory."""

import asyncio
import contextlib
import json
import uuid

import harness
import pytest
from hook_server import serving_hook
from scrape import Scrape

from headrace.agents.notifier import WAITING_MAX, HookError, Notifier
from headrace.agents.pace import Pace
from headrace.agents.telemetry import Telemetry
from headrace.learning.task import Task
from headrace.tables.kafka.topics import prepare, topics_of

PACE = Pace(retry_hook=0.01, retry_hook_max=0.02, retry_requests=0.05)


@pytest.fixture
def task(broker):
    """A task whose topics are there."""
    task = Task(name=f"told-{uuid.uuid4().hex[:8]}", kind="binary")
    asyncio.run(prepare(broker, topics_of(task)))
    return task


def signal(task, number, effect="alert"):
    fields = {"effect": effect, "id": f"{task.name}/0/{number}/0/0", "code": "drift", "detail": "d", "time": 1.0}
    return json.dumps(fields).encode()


async def until(true, what):
    for _ in range(600):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(what)


@contextlib.asynccontextmanager
async def notifying(broker, task, send):
    """A notifier that runs; yields its counts."""
    telemetry = Telemetry()
    running = asyncio.create_task(Notifier(task.name, broker, ["alert"], send, telemetry=telemetry, pace=PACE).run())
    try:
        yield telemetry.notifications
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def joined(broker, task, got):
    """Append signals until one arrives: a new group begins at the end of the topic."""
    number = 0
    while not got:
        number += 1
        await harness.append(broker, f"{task.name}.signals", [(0, signal(task, -number))])
        await asyncio.sleep(0.1)
    await until(lambda: len(got) == len(set(got)), "settled")


def id_of(task, number):
    return f"{task.name}/0/{number}/0/0"


def test_signals_of_the_kinds_arrive_in_order(broker, task):
    got = []

    async def send(one):
        got.append(one["id"])

    async def go():
        async with notifying(broker, task, send):
            await joined(broker, task, got)
            rows = [signal(task, 1), signal(task, 2, "saved"), b"no JSON", b"[1]", signal(task, 3)]
            await harness.append(broker, f"{task.name}.signals", [(0, row) for row in rows])
            await until(lambda: id_of(task, 3) in got, "the last")

    asyncio.run(go())
    assert got[-2:] == [id_of(task, 1), id_of(task, 3)]


def test_what_was_not_taken_before_a_crash_is_sent_by_the_next_worker(broker, task):
    got, again, closed = [], [], asyncio.Event()

    async def send(one):
        if one["id"] == id_of(task, 2):
            await closed.wait()  # the worker dies amid it
        got.append(one["id"])

    async def send_again(one):
        again.append(one["id"])

    async def go():
        async with notifying(broker, task, send):
            await joined(broker, task, got)
            rows = [signal(task, number) for number in (1, 2, 3)]
            await harness.append(broker, f"{task.name}.signals", [(0, row) for row in rows])
            await until(lambda: id_of(task, 1) in got, "the first")
        async with notifying(broker, task, send_again):
            await until(lambda: id_of(task, 3) in again, "the last")

    asyncio.run(go())
    assert {id_of(task, 2), id_of(task, 3)} <= set(again)
    assert id_of(task, 2) not in got


def test_a_hook_that_fails_is_tried_again_and_one_that_refuses_is_not(broker, task):
    got, tries = [], []

    async def send(one):
        tries.append(one["id"])
        if one["id"] == id_of(task, 1) and tries.count(one["id"]) < 3:
            raise HookError("away", passing=True)
        if one["id"] == id_of(task, 2):
            raise HookError("no", passing=False)
        if one["id"] == id_of(task, 3):
            raise HookError("never", passing=True)
        got.append(one["id"])

    async def go():
        async with notifying(broker, task, send) as counts:
            await joined(broker, task, got)
            before = dict(counts)
            rows = [signal(task, number) for number in (1, 2, 3, 4)]
            await harness.append(broker, f"{task.name}.signals", [(0, row) for row in rows])
            await until(lambda: id_of(task, 4) in got, "the last")
            return {name: counts[name] - before[name] for name in counts}

    counts = asyncio.run(go())
    assert [tries.count(id_of(task, number)) for number in (1, 2, 3, 4)] == [3, 1, 20, 1]
    assert counts["retried"] == 2 + 19
    assert counts["failed"] == 2


def test_the_oldest_are_dropped_while_the_hook_hangs(broker, task):
    got, hangs, free = [], asyncio.Event(), asyncio.Event()

    async def send(one):
        if one["id"] == id_of(task, 0):
            hangs.set()
            await free.wait()
        got.append(one["id"])

    async def go():
        async with notifying(broker, task, send) as counts:
            await joined(broker, task, got)
            await harness.append(broker, f"{task.name}.signals", [(0, signal(task, 0))])
            await hangs.wait()
            rows = [(0, signal(task, number)) for number in range(1, WAITING_MAX + 200)]
            await harness.append(broker, f"{task.name}.signals", rows)
            await until(lambda: counts["dropped"] == 200, "dropped")
            free.set()
            await until(lambda: id_of(task, WAITING_MAX + 199) in got, "the last")

    asyncio.run(go())
    sent = got[got.index(id_of(task, 0)) :]
    assert sent == [id_of(task, number) for number in (0, *range(201, WAITING_MAX + 200))]


SETTINGS = """
[notify]
url = "ADDRESS/hook?secret=hidden"
timeout = 2
kinds = ["alert", "acted"]
[tasks.TASK]
kind = "binary"
"""


def test_a_worker_notifies_and_goes_on_folding_while_the_hook_hangs(broker, tmp_path, monkeypatch):
    name = f"notifies-{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("HEADRACE_NOTIFY_TOKEN", "bearer-hidden")
    with serving_hook() as hook:
        settings = SETTINGS.replace("ADDRESS", hook.address).replace("TASK", name)
        worker = harness.Worker(tmp_path, broker, settings).start()
        try:
            worker.wait_ready()
            numbers = iter(range(1_000))

            def act():
                control = {"control": "resume", "id": f"c{next(numbers)}"}
                assert worker.post(f"/v1/{name}/control", control)[0] == 200
                return control["id"]

            def is_taken(control):
                return control in [body["signal"]["control"] for body in hook.taken()]

            harness.wait_for(lambda: is_taken(act()), 60, "the first notification")
            last = act()
            harness.wait_for(lambda: is_taken(last), 60, "all so far")
            body = hook.taken()[-1]
            assert (body["task"], body["partition"], body["kind"]) == (name, 0, "acted")
            assert body["text"].startswith(f"Headrace {name}/0: acted resume")
            assert body["id"] == body["signal"]["id"]
            assert body["path"] == "/hook?secret=hidden"
            assert body["authorization"] == "Bearer bearer-hidden"

            hook.answers = [500, 503]
            last = act()
            harness.wait_for(lambda: is_taken(last), 60, "taken in the end")
            assert [one["status"] for one in hook.got if one["signal"]["control"] == last] == [500, 503, 204]

            hook.open.clear()
            last = act()
            before = Scrape(worker).one("headrace_updates_total", task=name)
            samples = [{"features": {"x": 1.0}, "label": True}] * 500
            assert worker.post(f"/v1/{name}/samples", samples)[0] == 202
            harness.wait_for(
                lambda: Scrape(worker).one("headrace_updates_total", task=name) == before + 500, 20, "learned meanwhile"
            )
            hook.open.set()
            harness.wait_for(lambda: is_taken(last), 60, "taken after the hang")
            scrape = Scrape(worker)
            assert scrape.one("headrace_notifications_total", task=name, outcome="retried") >= 2
            assert scrape.one("headrace_notifications_total", task=name, outcome="dropped") == 0
            assert "hidden" not in worker.log()
        finally:
            worker.stop("SIGKILL")

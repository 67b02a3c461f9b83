"""Whoever guesses keys waits; whoever has one does not."""

import asyncio
import hashlib
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

import app.refusals
from app.doors import Doors
from app.errors import Problem, answer_problems
from app.keys import Keys, parse_keys
from app.refusals import Refusals

KEYS = Keys(parse_keys(f"phone predict {hashlib.sha256(b'right').hexdigest()}", "keys"))


class Clock:
    """A clock that a loop of its own moves: sleeping takes no time."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        self.slept = []
        monkeypatch.setattr(app.refusals, "asyncio", SimpleNamespace(sleep=self.sleep))

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(round(seconds, 6))
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)


def test_one_after_the_other_they_are_told_at_their_rate(monkeypatch):
    clock = Clock(monkeypatch)
    refusals = Refusals(clock)

    async def guess():
        return [await refusals.wait() for _ in range(350)]

    clock.now += 60.0
    assert all(asyncio.run(guess()))
    assert len(clock.slept) == pytest.approx(300, abs=1), "50 at once"
    assert clock.now - 160.0 == pytest.approx(6.0)
    clock.now += 0.1
    clock.slept.clear()
    asyncio.run(refusals.wait())
    assert clock.slept == []


def test_of_many_at_a_time_a_hundred_wait_and_the_others_are_to_be_closed(monkeypatch):
    clock = Clock(monkeypatch)
    refusals = Refusals(clock)

    async def flood():
        guesses = [asyncio.create_task(refusals.wait()) for _ in range(1_000)]
        await asyncio.sleep(0)
        most = refusals.waiting
        return most, [await guess for guess in guesses]

    most, found = asyncio.run(flood())
    assert most == 100
    assert found.count(False) >= 1_000 - 100 - 50
    assert max(clock.slept) <= 2.1
    assert refusals.waiting == 0


def test_one_that_is_cancelled_makes_room(monkeypatch):
    monkeypatch.setattr(app.refusals, "BURST", 0)

    async def cancel():
        refusals = Refusals()
        guess = asyncio.create_task(refusals.wait())
        await asyncio.sleep(0)
        assert refusals.waiting == 1
        guess.cancel()
        await asyncio.gather(guess, return_exceptions=True)
        return refusals.waiting

    assert asyncio.run(cancel()) == 0


def test_a_right_key_is_let_in_at_once_while_guesses_wait_and_connections_of_others_are_closed(monkeypatch):
    monkeypatch.setattr(app.refusals, "WAITING_MAX", 5)
    monkeypatch.setattr(app.refusals, "RATE", 2.0)
    monkeypatch.setattr(app.refusals, "BURST", 0)
    doors = Doors(KEYS, None, 10.0, [])

    async def hello(request):
        return web.Response(text="in")

    async def check():
        server = web.Application(middlewares=[answer_problems, doors.admit])
        server.router.add_get("/", hello)
        async with TestClient(TestServer(server)) as client:
            guesses = [asyncio.create_task(client.get("/", headers={"X-API-Key": "guess"})) for _ in range(5)]
            while doors._refusals.waiting < 5:
                await asyncio.sleep(0.001)
            async with asyncio.timeout(1):
                answer = await client.get("/", headers={"X-API-Key": "right"})
                assert await answer.text() == "in"
            assert doors._refusals.waiting > 0
            beyond = await client.get("/", headers={"X-API-Key": "guess"})
            assert (beyond.status, beyond.headers["Connection"]) == (401, "close")
            assert beyond.headers["WWW-Authenticate"].startswith("Bearer")
            waited = [await guess for guess in guesses]
            assert [answer.status for answer in waited] == [401] * 5
            assert all("Connection" not in answer.headers for answer in waited)

    asyncio.run(check())


def test_without_a_key_one_waits_too(monkeypatch):
    clock = Clock(monkeypatch)
    monkeypatch.setattr(app.refusals, "BURST", 0)
    doors = Doors(KEYS, None, 10.0, [])
    doors._refusals = Refusals(clock)
    for _ in range(2):
        with pytest.raises(Problem):
            asyncio.run(doors._know(make_mocked_request("GET", "/")))
    assert len(clock.slept) == 2

"""Refusals: a caller with a wrong key waits, and a caller with a right key does not."""

import asyncio
import hashlib
from types import SimpleNamespace

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from multidict import CIMultiDict

import headrace.app.refusals
from headrace.app.caller import Caller
from headrace.app.doors import Doors
from headrace.app.errors import Problem, answer_problems
from headrace.app.keys import ApiKeys, parse_keys
from headrace.app.proof import PROOF, Proofs
from headrace.app.refusals import Refusals

HERE, THERE, PATH = "http://127.0.0.1:1", "http://127.0.0.1:2", "/v1/t/predict/batch"
KEYS = ApiKeys(parse_keys(f"phone predict {hashlib.sha256(b'right').hexdigest()}", "keys"))


class Clock:
    """A clock whose sleeping takes no time: its own loop moves it."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        self.slept = []
        monkeypatch.setattr(headrace.app.refusals, "asyncio", SimpleNamespace(sleep=self.sleep))

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

    most, waited = asyncio.run(flood())
    assert most == 100
    assert waited.count(False) >= 1_000 - 100 - 50
    assert max(clock.slept) <= 2.1
    assert refusals.waiting == 0


def test_one_that_is_cancelled_makes_room(monkeypatch):
    monkeypatch.setattr(headrace.app.refusals, "BURST", 0)

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
    monkeypatch.setattr(headrace.app.refusals, "WAITING_MAX", 5)
    monkeypatch.setattr(headrace.app.refusals, "RATE", 2.0)
    monkeypatch.setattr(headrace.app.refusals, "BURST", 0)
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
    monkeypatch.setattr(headrace.app.refusals, "BURST", 0)
    doors = Doors(KEYS, None, 10.0, [])
    doors._refusals = Refusals(clock)
    for _ in range(2):
        with pytest.raises(Problem):
            asyncio.run(doors._identify_or_refuse(make_mocked_request("GET", "/").headers))
    assert len(clock.slept) == 2


def prove(target=HERE, method="POST", path=PATH, body=b"", now=None):
    clock = {} if now is None else {"now": lambda: now}
    return Proofs(b"s" * 32, THERE, **clock).prove(Caller("phone", ("predict",)), target, method, path, body)


BAD_PROOFS = {
    "a guess": [(PROOF, "guess")],
    "two": [(PROOF, prove()), (PROOF, prove())],
    "a key too": [(PROOF, prove()), ("X-API-Key", "right")],
    "of another worker": [(PROOF, prove(target="http://127.0.0.1:3"))],
    "of another request": [(PROOF, prove(path="/v1/t/samples"))],
    "of long ago": [(PROOF, prove(now=0.0))],
    "of another body": [(PROOF, prove(body=b"[1]"))],
}


def refuse(doors, headers):
    """Return the 401 for a request with these headers."""

    async def handler(request):
        raise AssertionError("let in")

    async def admit(request):
        return await answer_problems(request, lambda one: doors.admit(one, handler))

    async def read():
        return b""

    request = make_mocked_request("POST", PATH, CIMultiDict(headers))
    request.read = read
    response = asyncio.run(admit(request))
    assert (response.status, response.headers["WWW-Authenticate"]) == (401, 'Bearer realm="headrace"')
    return response


@pytest.mark.parametrize("name", BAD_PROOFS)
@pytest.mark.parametrize("secret", [b"s" * 32, None])
@pytest.mark.parametrize("keys", [KEYS, ApiKeys()])
def test_a_bad_proof_waits_as_a_wrong_key_does(monkeypatch, name, secret, keys):
    clock = Clock(monkeypatch)
    monkeypatch.setattr(headrace.app.refusals, "BURST", 0)
    doors = Doors(keys, None, 10.0, [], Proofs(secret, HERE) if secret else None)
    doors._refusals = Refusals(clock)
    for waits in (1, 2):
        assert "Connection" not in refuse(doors, BAD_PROOFS[name]).headers
        assert len(clock.slept) == waits


@pytest.mark.parametrize("name", BAD_PROOFS)
def test_where_too_many_wait_a_bad_proof_is_not_logged_and_its_connection_closed(monkeypatch, name):
    doors = Doors(KEYS, None, 10.0, [], Proofs(b"s" * 32, HERE))
    with structlog.testing.capture_logs() as lines:
        assert "Connection" not in refuse(doors, BAD_PROOFS[name]).headers
        monkeypatch.setattr(headrace.app.refusals, "WAITING_MAX", 0)
        for _ in range(10):
            assert refuse(doors, BAD_PROOFS[name]).headers["Connection"] == "close"
    assert [line["event"] for line in lines] == ["a question that was passed on is refused"]

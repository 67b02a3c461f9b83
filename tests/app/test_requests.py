"""Requests over Kafka while the group assigns shards: a temporary refusal is not published."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from aiohttp import web

import headrace.app.serving.requests
from headrace.app.caller import OVER_KAFKA, Caller
from headrace.app.serving.owners import Owners
from headrace.app.serving.question import Asked
from headrace.app.serving.refused import RequestRefused
from headrace.app.serving.requests import answering
from headrace.learning.task import Task

SERVED = SimpleNamespace(task=Task(name="t", kind="binary"))


class Serving:
    def __init__(self, *refusals):
        self.refusals = list(refusals)

    async def answer(self, served, questions, asked):
        assert asked.caller.again, "whoever takes over from a worker that died answers what that one has logged"
        if self.refusals:
            raise self.refusals.pop(0)
        return [{"id": questions[0].id}]


def ask(*refusals):
    answer = answering(Serving(*refusals), SERVED)
    (line,) = asyncio.run(answer([("t.requests/0/1/0", b'{"features": {}}')]))
    return json.loads(line)


def test_a_worker_that_has_just_started_answers_when_it_can(monkeypatch):
    monkeypatch.setattr(headrace.app.serving.requests, "RETRY_SECONDS", 0.0)
    codes = ("opening", "no_owner", "owner_unreachable")
    settling = [RequestRefused("unavailable", code, "not yet.", "Ask again.") for code in codes]
    assert ask(*settling) == {"effect": "answered", "id": "t.requests/0/1/0"}


@pytest.mark.parametrize("code", ["stopped", "not_finite", "feature"])
def test_other_refusals_are_told_at_once(code):
    assert ask(RequestRefused("unavailable", code, "no.", "Look."))["code"] == code


def test_patience_ends(monkeypatch):
    monkeypatch.setattr(headrace.app.serving.requests, "PATIENCE_SECONDS", -1.0)
    assert ask(RequestRefused("unavailable", "opening", "not yet.", "Ask again."))["code"] == "opening"


@pytest.mark.parametrize("status", [401, 403])
def test_an_owner_that_asks_for_a_key_is_one_that_cannot_be_asked(status):
    async def refuse(request):
        assert Caller.of_headers(request.headers).again
        return web.json_response({"code": "no_key", "detail": "no key was sent."}, status=status)

    async def check():
        server = web.Application()
        server.router.add_post("/v1/t/predict/batch", refuse)
        runner = web.AppRunner(server)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]

        async def owner(topic, partition):
            return f"http://127.0.0.1:{port}"

        async def stop():
            pass

        owners = Owners(SimpleNamespace(owner=owner, stop=stop), "http://127.0.0.1:1")
        try:
            with pytest.raises(RequestRefused) as raised:
                await owners.ask(SERVED.task, 0, [], Asked(caller=OVER_KAFKA), 1.0)
        finally:
            await owners.stop()
            await runner.cleanup()
        return raised.value

    refused = asyncio.run(check())
    assert (refused.kind, refused.code) == ("unavailable", "owner_unreachable")

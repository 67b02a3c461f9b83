"""A few thousand random requests to both ways of answering; `make lane` sends 100,000."""

import asyncio

import pytest
import random_questions
from both_ways import both

from headrace.app.lane import lane as module


@pytest.fixture(autouse=True)
def quiet():
    random_questions.quiet()
    yield
    random_questions.aloud()


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_the_lane_answers_as_the_ordinary_way_does(tmp_path, seed):
    found = asyncio.run(random_questions.compare(tmp_path, 1_500, seed))
    assert found["lane"] > 150
    assert {"200", "400", "404", "405", "409", "413", "422", "503"} <= set(found)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("write_answer", lambda request_id, body: b"HTTP/1.1 200 OK\r\n\r\n" + body),
        ("write_refusal", lambda request_id, response: b"HTTP/1.1 422 Unprocessable\r\n\r\n"),
    ],
)
def test_another_answer_is_noticed(tmp_path, monkeypatch, name, wrong):
    monkeypatch.setattr(module, name, wrong)
    with pytest.raises(AssertionError, match="seed 1"):
        asyncio.run(random_questions.compare(tmp_path, 1_500, 1))


def test_what_is_counted_twice_is_noticed(tmp_path, monkeypatch):
    answer = module.Lane._answer

    def count(self, known, questions, models):
        known.hot.served.telemetry.predictions += 1
        return answer(self, known, questions, models)

    monkeypatch.setattr(module.Lane, "_answer", count)
    with pytest.raises(AssertionError):
        asyncio.run(random_questions.compare(tmp_path, 500, 1))


def test_requests_of_plain_clients_are_all_answered_in_the_lane(tmp_path):
    body = b'{"features": {"x": 1}}'
    head = b"POST /v1/ads/predict HTTP/1.1\r\nHost: x\r\nX-API-Key: asker\r\nContent-Length: %d\r\n\r\n" % len(body)

    async def check():
        async with both(tmp_path) as (worker, _):
            link = worker.connect()
            await link.rest()
            for pieces in ([head + body], [head, body], [head, body[:5], body[5:]]):
                written, is_shut = await worker.exchange(link, *pieces)
                assert written.startswith(b"HTTP/1.1 200 OK\r\n")
                assert not is_shut
            await worker.end(link)
            return worker.lane.answered

    assert asyncio.run(check()) == 3

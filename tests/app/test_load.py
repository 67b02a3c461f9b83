"""The load generator, against small servers: what it counts when answers are slow, refused or missing."""

import asyncio
import random

import pytest
import uvloop

from headrace.app.load.latencies import Latencies
from headrace.app.load.load import Load
from headrace.app.load.requests import Request

PROBLEM = b'{"status": 429, "code": "rate", "detail": "too many.", "remedy": "Wait."}'


def answer(status=200, body=b"{}", more=b""):
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), more, body)


class Server:
    """A server that answers each request by a coroutine: bytes, or None to close the connection."""

    def __init__(self, respond):
        self.respond, self.asked = respond, []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def serve(self, reader, writer):
        try:
            while True:
                self.asked.append(await reader.readuntil(b"\n"))
                given = await self.respond(len(self.asked))
                if given is None:
                    break
                for part in given if isinstance(given, list) else [given]:
                    writer.write(part)
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def run(respond, requests=None, **options):
    """Run a load against a server, and return it with the requests that came."""

    async def main():
        async with Server(respond) as server:
            given = iter(lambda: Request("question", b"q\n"), None) if requests is None else requests
            load = Load(server.address, None, given, **({"connections": 1, "warm_up": 0.0, "seconds": 0.5} | options))
            await load.run()
            return load, server.asked

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the command does
        return runner.run(main())


async def at_once(_number):
    return answer()


def test_percentiles_are_those_of_all_values_within_a_hundredth():
    generator, latencies = random.Random(1), Latencies()
    values = sorted(generator.lognormvariate(-6, 2) for _ in range(20_000))
    for value in values:
        latencies.add(value)
    for percent in (50, 90, 99, 99.9):
        exact = values[int(len(values) * percent / 100) - 1]
        assert latencies.percentile(percent) == pytest.approx(exact, rel=0.01, abs=2e-6)
    assert latencies.percentile(100) == latencies.max == values[-1]
    assert Latencies().percentile(99) == 0.0


def test_an_open_loop_sends_what_is_due():
    load, asked = run(at_once, rate=100.0, seconds=1.0)
    assert load.measured["question"].latencies.count == 100
    assert len(asked) == 100


def test_a_stalled_answer_counts_in_the_latency_of_all_requests_that_were_due_meanwhile():
    async def stalls(number):
        if number == 1:
            await asyncio.sleep(0.5)
        return answer()

    load, _ = run(stalls, rate=100.0, seconds=0.4)
    latencies = load.measured["question"].latencies
    assert latencies.count == 40
    assert latencies.percentile(1) >= 0.1  # the last one was due 0.1 s before the stall was over
    assert latencies.percentile(50) >= 0.3


def test_the_warm_up_is_left_out():
    load, asked = run(at_once, rate=100.0, warm_up=0.5, seconds=0.5)
    assert load.measured["question"].latencies.count == pytest.approx(50, abs=1)
    assert len(asked) == pytest.approx(100, abs=1)


def test_a_closed_loop_keeps_one_request_under_way_on_each_connection():
    under_way, most = 0, 0

    async def slow(_number):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return answer()

    load, _ = run(slow, rate=None, connections=3)
    assert most == 3
    assert load.measured["question"].latencies.count > 3


def test_refusals_are_counted_by_their_code_with_the_first_reason():
    async def refuse(number):
        return answer(429, PROBLEM) if number % 2 else answer()

    load, _ = run(refuse, rate=100.0)
    measured = load.measured["question"]
    assert measured.failed["rate"] == pytest.approx(25, abs=1)
    assert measured.reasons["rate"] == "too many. Wait."


def test_a_lost_connection_is_a_failure_and_made_again():
    async def drop(number):
        return None if number == 1 else answer()

    load, asked = run(drop, rate=50.0)
    assert load.measured["question"].failed == {"lost": 1}
    assert len(asked) == 25


def test_an_answer_in_pieces_is_one_answer():
    async def pieces(_number):
        whole = answer(body=b"x" * 100)
        return [whole[:10], whole[10:60], whole[60:]]

    load, _ = run(pieces, rate=50.0)
    assert not load.measured["question"].failed


@pytest.mark.parametrize("given", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"nonsense\r\n\r\n"])
def test_what_is_no_answer_is_a_failure(given):
    async def respond(_number):
        return given

    load, _ = run(respond, rate=20.0)
    assert load.measured["question"].failed["lost"] > 0


def test_requests_without_an_answer_count_with_the_time_that_they_waited(monkeypatch):
    monkeypatch.setattr("headrace.app.load.load.GRACE_SECONDS", 0.2)

    async def never(_number):
        await asyncio.sleep(60)

    load, _ = run(never, rate=20.0)
    measured = load.measured["question"]
    assert measured.latencies.count == measured.failed["lost"] == 10
    assert measured.latencies.max >= 0.6


@pytest.mark.parametrize("rate", [20.0, None])
def test_every_answered_question_gets_its_label_after_the_delay(rate):
    given = (Request("question", b"q%d\n" % number, b"l%d\n" % number) for number in range(10_000))

    async def slow(_number):
        await asyncio.sleep(0.02)
        return answer()

    load, asked = run(slow, given, rate=rate, delay=0.2, seconds=0.6, connections=2)
    labels = [line[1:] for line in asked if line.startswith(b"l")]
    questions = [line[1:] for line in asked if line.startswith(b"q")]
    assert sorted(labels) == sorted(questions)
    assert asked.index(b"l0\n") > 1  # not at once
    assert load.measured["label"].latencies.count > 0
    assert load.measured["label"].latencies.count < len(labels)  # those after the end are sent, and not counted


def test_a_refused_question_gets_no_label():
    async def refuse(_number):
        return answer(429, PROBLEM)

    given = (Request("question", b"q\n", b"l\n") for _ in range(10_000))
    _, asked = run(refuse, given, rate=50.0, delay=0.0)
    assert set(asked) == {b"q\n"}

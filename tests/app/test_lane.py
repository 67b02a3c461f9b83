"""The lane: what it answers and leaves to the ordinary way, and that it ends, waits and counts as aiohttp does.

tests/conformance/test_random_questions.py compares its answers with those of the ordinary way.
"""

import asyncio
import contextlib
import json
import socket
import uuid

import aiohttp
import harness
import pytest
from aiohttp import web
from both_ways import both

import headrace.app.serving.serving
from headrace.app.lane import connection as module
from headrace.app.lane.known_heads import HEADS_MAX, OWN, KnownHeads

BODY = b'{"features": {"x": 1}, "id": "q"}'


def post(path="/v1/ads/predict", body=BODY, *headers, key="asker"):
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"X-API-Key: {key}", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


PLAIN = post()
HEAD = PLAIN[: -len(BODY)]


def run(tmp_path, check, **options):
    """Run a check with a worker that has a lane, and a connection to it."""

    async def go():
        async with both(tmp_path, **options) as (worker, _):
            link = worker.connect()
            await link.rest()
            try:
                return await check(worker, link)
            finally:
                await worker.end(link)

    return asyncio.run(go())


def left(tmp_path, *pieces):
    """Send pieces over one connection; return how many answers came, and how many of them from the lane."""

    async def check(worker, link):
        written, _ = await worker.exchange(link, *pieces)
        return written.count(b"HTTP/1.1 "), worker.lane.answered

    return run(tmp_path, check)


@pytest.mark.parametrize(
    "pieces",
    [
        [PLAIN],
        [HEAD, BODY],
        [PLAIN[:-5], PLAIN[-5:-2], PLAIN[-2:]],
        [post(body=b"[" + BODY + b"]", path="/v1/ads/predict/batch")],
        [post("/v1/ads/predict", BODY, "X-Request-Id: a", "Accept: */*", "traceparent: x", "cookie: a=b")],
        [post(body=BODY[:-1] + b', "log": "async"}')],
        [post("/v1/stored/predict")],
        [post(body=b'{"features": {"x": 1}, "min_position": 7}')],
        [b"\r\n" + PLAIN],
        [PLAIN[:20], PLAIN[20:]],
        [post("/v1/shop/predict", b'{"features": {"z": 1}}')],
    ],
)
def test_what_has_to_wait_for_nothing_is_answered_in_the_lane(tmp_path, pieces):
    assert left(tmp_path, *pieces) == (1, 1)


@pytest.mark.parametrize(
    "pieces",
    [
        [post(key="guess")],
        [post(key="sender")],
        [post(body=b"{")],
        [post(body=b'{"features": {"x": []}}')],
        [post(body=BODY[:-1] + b', "log": true}')],
        [post(body=BODY[:-1] + b', "log": "durable"}')],
        [post(body=BODY[:-1] + b', "min_position": 8, "wait_s": 0}')],
        [post("/v1/shut/predict")],
        [post("/v1/nope/predict")],
        [post("/v1/ads/predict?fresh=true")],
        [post("/v1/%61ds/predict")],
        [post("/v1/ads/predict", BODY, "Connection: close")],
        [post("/v1/ads/predict", BODY, "Content-Encoding: identity")],
        [post("/v1/ads/predict", BODY, "Origin: http://x")],
        [post("/v1/ads/predict", BODY, "Headrace-Proof: x")],
    ],
)
def test_what_has_to_wait_is_refused_or_is_odd_goes_the_ordinary_way(tmp_path, pieces):
    assert left(tmp_path, *pieces) == (1, 0)


def test_what_comes_while_an_answer_is_under_way_waits_behind_it(tmp_path):
    durable = post(body=BODY[:-1] + b', "log": "durable"}')

    async def check(worker, link):
        link.connection.data_received(durable)
        await asyncio.sleep(0)
        link.connection.data_received(post("/v1/ads/predict", b'{"features": {}, "id": "second"}'))
        await link.rest()
        written, _ = link.take()
        assert written.index(b'"id":"q"') < written.index(b'"id":"second"')
        assert worker.lane.answered == 0
        assert (await worker.exchange(link, PLAIN))[0].startswith(b"HTTP/1.1 200")
        return worker.lane.answered

    assert run(tmp_path, check) == 1


def test_a_head_that_is_known_is_not_parsed_again(tmp_path):
    async def check(worker, link):
        parser = link.connection._parser
        fed = []

        class Parser:
            def feed_data(self, data):
                fed.append(data)
                return parser.feed_data(data)

            def message_consumed(self):
                parser.message_consumed()

        link.connection._parser = Parser()
        for _ in range(3):
            await worker.exchange(link, PLAIN)
        assert (fed, worker.lane.answered) == ([PLAIN], 3)
        longer = post(body=b'{"features": {"x": 12}, "id": "q"}')
        await worker.exchange(link, longer)
        assert fed == [PLAIN, longer]

    run(tmp_path, check)


@pytest.mark.parametrize(
    "begun", [b"POST /v1/ads/predict HTTP/1.1\r\nHost: x\r\nX-A: ", b"GET /healthz HTTP/1.1\r\nX-A:", b"P"]
)
def test_a_head_that_is_known_is_parsed_all_the_same_in_the_middle_of_another(tmp_path, begun):
    """Whoever can put the beginning of a head before the request of another must not have it answered as if that were not there."""

    async def check(worker, link):
        await worker.exchange(link, PLAIN)
        assert await worker.exchange(link, PLAIN + begun) != (b"", False)
        return (await worker.exchange(link, PLAIN + b"\r\n"))[0], worker.lane.answered

    async def ordinary(worker, link):
        worker.lane.heads.find = lambda head: None
        return await check(worker, link)

    assert run(tmp_path / "a", check) == run(tmp_path / "b", ordinary)


def test_a_connection_is_between_two_requests_again_after_a_whole_one(tmp_path):
    async def check(worker, link):
        await worker.exchange(link, PLAIN)
        assert link.connection._is_between
        for other in (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", post("/v1/ads/labels", b"{}", key="sender")):
            assert (await worker.exchange(link, other))[0]
            assert link.connection._is_between
        await worker.exchange(link, PLAIN[:30], PLAIN[30:])
        assert not link.connection._is_between
        await worker.exchange(link, PLAIN)
        assert link.connection._is_between

    run(tmp_path, check)


def test_a_first_request_that_comes_before_anything_listens_to_the_connection_is_learned_from(tmp_path):
    async def check(worker, _link):
        link = worker.connect()
        link.connection.data_received(PLAIN)  # aiohttp's task has not run yet
        await link.rest()
        assert worker.lane.answered == 0
        assert link.connection._is_between
        await worker.exchange(link, PLAIN)
        return len(worker.lane.heads._known)

    assert run(tmp_path, check) == 1


def test_a_request_that_is_queued_with_the_beginning_of_another_leaves_no_place_between_two(tmp_path):
    async def check(worker, _link):
        link = worker.connect()
        link.connection.data_received(PLAIN + b"POST /v1")
        await link.rest()
        return link.connection._is_between

    assert run(tmp_path, check) is False


def test_a_body_that_does_not_come_is_given_to_the_ordinary_way_with_its_own_time(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "HOLD_SECONDS", 0.01)

    async def check(worker, link):
        await worker.exchange(link, HEAD)
        assert link.connection._held is not None
        await asyncio.sleep(0.05)
        assert link.connection._held is None
        assert link.connection._current_request is not None
        written, _ = await worker.exchange(link, BODY)
        return written[:15], worker.lane.answered

    assert run(tmp_path, check) == (b"HTTP/1.1 200 OK", 0)


def test_a_body_without_a_right_key_is_not_waited_for(tmp_path):
    async def check(worker, link):
        written, _ = await worker.exchange(link, post(key="guess")[: -len(BODY)])
        return written[:12]

    assert run(tmp_path, check) == b"HTTP/1.1 401"


def test_a_client_that_does_not_read_is_not_written_to_without_bound(tmp_path):
    async def check(worker, link):
        await worker.exchange(link, PLAIN)
        link.connection.pause_writing()
        link.take()
        for _ in range(200):
            if link.transport.is_paused:
                break
            link.connection.data_received(PLAIN)
            await asyncio.sleep(0)
        assert link.transport.is_paused, "reading goes on"
        assert link.take()[0].count(b"HTTP/1.1 200") == 1, "the ordinary way writes one answer and waits"
        assert worker.lane.answered == 1
        link.connection.resume_writing()
        await link.rest()
        assert not link.transport.is_paused
        await worker.exchange(link, PLAIN)
        return worker.lane.answered

    assert run(tmp_path, check) == 2


def test_a_connection_of_the_lane_is_closed_when_it_has_been_idle(tmp_path):
    async def check(worker, link):
        link.connection._keepalive_timeout = 0.05
        for _ in range(4):
            assert (await worker.exchange(link, PLAIN))[1] is False
            await asyncio.sleep(0.03)
        link.connection._process_keepalive()
        assert not link.transport.is_shut, "it was used a moment ago"
        await asyncio.sleep(0.15)
        return link.transport.is_shut

    assert run(tmp_path, check)


def test_a_connection_of_the_lane_ends_with_the_worker(tmp_path):
    async def check(worker, link):
        await worker.exchange(link, PLAIN)
        held = worker.connect()
        await held.rest()
        await worker.exchange(held, HEAD)
        worker.runner.server.pre_shutdown()
        assert held.connection._held is None
        await worker.runner.server.shutdown(0.01)
        return link.transport.is_shut, held.transport.is_shut

    assert run(tmp_path, check) == (True, True)


def test_a_head_with_what_is_its_own_is_not_remembered(tmp_path):
    async def check(worker, link):
        for name in OWN:
            await worker.exchange(link, post("/v1/ads/predict", BODY, f"{name}: a"))
        return worker.lane.answered, len(worker.lane.heads._known)

    assert run(tmp_path, check) == (len(OWN), 0)


def test_no_key_stays_in_memory_and_the_number_of_heads_is_bounded(tmp_path):
    async def check(worker, link):
        await worker.exchange(link, PLAIN)
        (known,) = worker.lane.heads._known.items()
        assert "asker" not in repr(known[0])
        return known[1]

    known = run(tmp_path, check)
    heads = KnownHeads(has_keys=False)

    class Message:
        headers = ()

    for number in range(HEADS_MAX + 5):
        heads.remember(b"%d" % number, known, Message)
    assert len(heads._known) == 5


def test_each_request_with_a_known_head_counts_for_the_rate(tmp_path):
    slow = post(key="slow")

    async def check(worker, link):
        return [(await worker.exchange(link, slow))[0][9:12] for _ in range(7)]

    assert run(tmp_path, check) == [b"200"] * 5 + [b"429"] * 2


def test_a_defect_is_answered_as_in_the_ordinary_way(tmp_path, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(headrace.app.serving.serving, "answer_from", fail)

    async def check(worker, link):
        written, is_shut = await worker.exchange(link, PLAIN)
        return json.loads(written.partition(b"\r\n\r\n")[2])["code"], is_shut, worker.lane.answered

    assert run(tmp_path, check) == ("defect", False, 1)


def test_the_lane_makes_the_span_of_a_request(tmp_path):
    made = []

    class Tracing:
        @contextlib.contextmanager
        def span_of(self, method, route, headers):
            made.append([method, route, headers.get("traceparent")])
            yield made[-1].append

    async def check(worker, link):
        worker.lane.tracing = Tracing()
        await worker.exchange(link, PLAIN)
        await worker.exchange(link, PLAIN)
        await worker.exchange(link, post("/v1/ads/predict", BODY, "traceparent: 00-a-b-01"))
        await worker.exchange(link, post("/v1/shop/predict/batch", b'[{"features": {"z": 1}}]'))
        await worker.exchange(link, post("/v1/ads/predict", b'{"features": {}, "log": true}'))
        return worker.lane.answered

    assert run(tmp_path, check) == 4
    one, many = "/v1/{task}/predict", "/v1/{task}/predict/batch"
    assert made == [
        ["POST", one, None, 200],
        ["POST", one, None, 200],
        ["POST", one, "00-a-b-01", 200],
        ["POST", many, None, 422],
    ]


def test_real_clients_over_sockets_are_answered_in_the_lane(tmp_path):
    async def check(worker, _link):
        site = web.TCPSite(worker.runner, "127.0.0.1", 0)
        await site.start()
        address = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/v1/ads/predict"
        async with aiohttp.ClientSession(headers={"X-API-Key": "asker"}) as session:
            for _ in range(3):
                async with session.post(address, json={"features": {"x": 1}}) as answer:
                    assert (await answer.json())["arm"] == "champion"
        answer = await asyncio.to_thread(
            harness.HTTP.post, address, json={"features": {"x": 1}}, headers={"X-API-Key": "asker"}
        )
        assert answer.status_code == 200
        return worker.lane.answered

    assert run(tmp_path, check) >= 3


def test_a_client_of_a_worker_that_never_reads_costs_it_little(broker, tmp_path):
    """Over a real socket: what the kernel and the transport hold is bounded, and the worker goes on to answer others."""
    task = f"unread-{uuid.uuid4().hex[:8]}"
    worker = harness.Worker(tmp_path, broker, f'[tasks.{task}]\nkind = "binary"\n').start()
    try:
        worker.wait_ready()
        body = json.dumps([{"features": {"x": 1}}] * 50).encode()
        request = (
            f"POST /v1/{task}/predict/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
        with socket.create_connection(("127.0.0.1", worker.port)) as deaf:
            deaf.settimeout(2.0)
            with pytest.raises(TimeoutError):
                deaf.sendall(request * 20_000)  # the answers to all would be 100 MB
            assert worker.post(f"/v1/{task}/predict", {"features": {"x": 1}})[0] == 200
    finally:
        worker.stop("SIGKILL")

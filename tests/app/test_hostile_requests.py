"""Hostile requests: each is refused with a problem document, none changes a model, none ends the worker."""

import asyncio
import http.client
import json
import time
from urllib.parse import urlsplit

import harness
import pytest
from plainness import foreign
from served import DECLARED
from served import HOSTILE as TASK

from headrace import Client
from headrace.app.client.errors import InvalidRequestError

GOOD = {"features": {"x": 1.5, "country": "PT"}}


def bad_values():
    """Feature values that no model may see."""
    return [b"NaN", b"Infinity", b"-Infinity", b"1e308", b"-1e308", b"1e999", b"1" * 400, b"9223372036854775808", b"null", b"[]", b"{}",
            b"[1]", b'{"a": 1}', b"tru", b"'x'", b"0x10", b"01", b"+1", b".5", b"1.", b'"\xff"', b'"\\ud800"', b'"' + b"y" * 5000 + b'"',
            b"\x00", b"1e", b'"\n"', b"--1", b"1_000", b"1,2", b"undefined"]  # fmt: skip


def bad_bodies():
    """Bodies that are no question, no batch and no sample."""
    bodies = [b"", b" ", b"\n", b"null", b"true", b"1", b'"x"', b"{", b"}", b"[", b"{}", b"[[]]", b"[null]", b"[1]", b"\xff\xfe", b"\xef\xbb\xbf{}",
              b"features=x", b"<xml/>", b"{'features': {}}", b'{"features": }', b'{"features": {"x": 1}', b'{"features": {"x": 1}} x',
              b'{"features": []}', b'{"features": null}', b'{"features": "x"}', b'{"features": 1}', b'{"feature": {"x": 1}}',
              b'{"features": {"x": 1}, "extra": 1}', b'{"features": {"x": 1}, "id": 1}', b'{"features": {"x": 1}, "id": ""}',
              b'{"features": {"x": 1}, "id": null}', b'{"features": {"x": 1}, "key": 5}', b'{"features": {"x": 1}, "key": ""}',
              b'{"features": {"x": 1}, "id": "' + b"i" * 300 + b'"}', b'{"features": {"": 1}}', b'{"features": {"' + b"n" * 300 + b'": 1}}',
              b'{"features": {"x": 1, "x": 2}}', b'{"features": {"x": 1, "\\u0078": 2}}', b'{"features": {"x": 1}, "features": {"x": 2}}',
              b'{"id": "a", "id": "b", "features": {"x": 1}}', b"[" * 100_000, b'{"features":' * 5000, b'{"features": {"x": ' + b"[" * 5000,
              b'{"features": {"x": 1}, "label": "maybe"}', b'{"features": {"x": 1}, "label": 1}', b'{"features": {"x": 1}, "label": null}',
              b'{"label": true}', b'{"id": "q", "label": true}', b'{"control": "rollback", "to": "previous"}']  # fmt: skip
    bodies += [b'{"features": {"x": ' + value + b"}}" for value in bad_values()]
    bodies += [b'{"features": ' + b"[" * depth + b"]" * depth + b"}" for depth in range(900, 1000)]
    return bodies


@pytest.fixture(scope="module")
def worker(served, broker):
    rows = [(0, json.dumps({"features": {"x": number % 5}, "label": number % 5 > 2}).encode()) for number in range(50)]
    asyncio.run(harness.append(broker, f"{TASK}.events", rows))
    with Client(served.address) as client:
        harness.wait_for(lambda: client.status(TASK).shards[0].updates == 50, 30, "all learned")
    return served


@pytest.fixture
def client(worker):
    with Client(worker.address) as client:
        yield client


def ask(worker, method, path, body=None, headers=None):
    """Send any request, however odd, and return the status, the content type and the body of the answer."""
    where = urlsplit(worker.address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in {"Content-Length": str(len(body or b"")), **(headers or {})}.items():
            connection.putheader(name, value)
        connection.endheaders()
        if body:
            try:
                connection.send(body)
            except OSError:
                pass  # refused before all of it was sent
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read()
    finally:
        connection.close()


def requests():
    """Return at least two hundred hostile requests: name, method, path, body and headers of each."""
    hostile = []
    for route in ("predict", "samples"):
        hostile += [(route, "POST", f"/v1/{TASK}/{route}", body, {}) for body in bad_bodies()]
    hostile += [
        ("batch", "POST", f"/v1/{TASK}/predict/batch", b"[" + body + b"]", {}) for body in bad_bodies() if body.strip()
    ]
    hostile += [("declared", "POST", f"/v1/{DECLARED}/predict", json.dumps({"features": features}).encode(), {}) for features in (
        {}, {"price": 1}, {"price": 101, "country": "PT"}, {"price": -1, "country": "PT"}, {"price": "1", "country": "PT"},
        {"price": 1, "country": "FR"}, {"price": 1, "country": 1}, {"price": 1, "country": "PT", "x": 1}, {"price": True, "country": "PT"})]  # fmt: skip
    question = json.dumps(GOOD).encode()
    for task in ("nope", "..", "%2e%2e", "%00", "a" * 2000, "'; drop", "<script>", "%ff", "TASK", f"{TASK} "):
        path = task.replace(" ", "%20").replace("<", "%3C").replace(">", "%3E").replace("'", "%27")
        hostile.append(("task", "POST", f"/v1/{path}/predict", question, {}))
        hostile.append(("task", "GET", f"/v1/{path}", None, {}))
    for path in ("/nope", "/v1/", "/v2/x", f"/v1/{TASK}/", f"/v1/{TASK}/nope", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
                 f"/v1/{TASK}/predict/", "/.git/config", "/v1//predict", "/healthz/x"):  # fmt: skip
        hostile.append(("path", "GET", path, None, {}))
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "GET"):
        hostile.append(("method", method, f"/v1/{TASK}/predict", None, {}))
    hostile.append(("big", "POST", f"/v1/{TASK}/predict", b"x" * (2 << 20), {}))
    hostile.append(("big", "POST", f"/v1/{TASK}/samples", b'[{"features": {"x": "' + b"y" * (2 << 20), {}))
    hostile.append(("many", "POST", f"/v1/{TASK}/predict/batch", json.dumps([GOOD] * 1001).encode(), {}))
    hostile.append(("many", "POST", f"/v1/{TASK}/samples", json.dumps([GOOD | {"label": True}] * 1001).encode(), {}))
    hostile.append(("none", "POST", f"/v1/{TASK}/samples", b"[]", {}))
    hostile.append(("header", "POST", f"/v1/{TASK}/predict", question, {"Content-Encoding": "gzip"}))
    hostile.append(("header", "POST", f"/v1/{TASK}/predict", question, {"X-Long": "x" * 20_000}))
    return hostile


@pytest.mark.parametrize("way", [{}, dict([harness.ORDINARY_WAY])], ids=["lane", "ordinary"])
def test_hundreds_of_hostile_requests_are_refused_with_a_reason_and_change_nothing(worker, client, way):
    (before,) = client.status(TASK).shards
    table = requests()
    assert len(table) >= 200
    for name, method, path, body, headers in table:
        status, kind, content = ask(worker, method, path, body, way | headers)
        shown = (name, method, path[:80], (body or b"")[:80], status, content[:200])
        assert 400 <= status < 500, shown
        if name == "header":
            continue  # refused by the HTTP parser, before there is a request
        assert kind == "application/problem+json", shown
        problem = json.loads(content)
        assert problem["status"] == status, shown
        assert problem["code"], shown
        assert problem["detail"], shown
        assert foreign(problem["detail"]) is None, shown
    time.sleep(0.5)
    (after,) = client.status(TASK).shards
    assert (after.position, after.digest) == (before.position, before.digest)
    assert worker.process.poll() is None
    assert client.predict(TASK, GOOD["features"]).prediction is not None


@pytest.mark.parametrize(
    ("task", "features", "name"),
    [
        (TASK, {"good": 1, "bad": None}, "'bad'"),
        (TASK, {"good": 1, "bad": [1]}, "'bad'"),
        (DECLARED, {"price": 500, "country": "PT"}, "'price'"),
    ],
    ids=["null", "list", "declared"],
)
def test_the_feature_that_is_wrong_is_named(client, task, features, name):
    with pytest.raises(InvalidRequestError) as refused:
        client.predict(task, features)
    assert refused.value.status == 422
    assert name in refused.value.detail


def test_samples_of_one_request_are_checked_all_before_any_is_appended(client):
    before = client.status(TASK).shards[0].end
    with pytest.raises(InvalidRequestError) as refused:
        client.samples(TASK, [GOOD | {"label": True}, GOOD | {"label": "maybe"}])
    assert refused.value.status == 422
    assert "sample 1" in refused.value.detail
    assert client.status(TASK).shards[0].end == before

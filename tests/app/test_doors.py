"""The doors of a running worker: without a key, with a wrong one, with tricks in path, headers and body."""

import hashlib
import http.client
import itertools
import json
import socket
import ssl
import time
from pathlib import Path

import harness
import pytest
from certificates import make_certificates

from headrace.app.doors import doors_of
from headrace.app.settings import parse
from headrace.learning.errors import SettingsError

TASK = "doors"
SECRETS = {"predict": "for-predict", "feedback": "for-feedback", "admin": "for-admin", "slow": "for-slow"}
QUESTION = {"features": {"x": 1.5}}
SAMPLE = QUESTION | {"label": True}


def keys():
    roles = {"predict": "predict", "feedback": "feedback", "admin": "admin", "slow": "predict"}
    rates = {"slow": "2"}
    return "\n".join(
        f"{name} {roles[name]} {hashlib.sha256(secret.encode()).hexdigest()} {rates.get(name, '')}"
        for name, secret in SECRETS.items()
    )


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    """A worker with keys and TLS, and little patience with bodies."""
    folder = tmp_path_factory.mktemp("doors")
    files = make_certificates(folder / "certificates")
    (folder / "keys").write_text(keys())
    lines = f"keys_file = 'keys'\nbody_seconds = 1\nbody_limit = 65536\ntls = {{ cert = '{files.cert}', key = '{files.key}', ca = '{files.ca}' }}"
    started = harness.Worker(
        folder,
        broker,
        f'[tasks.{TASK}]\nkind = "binary"\n[tasks.{TASK}.stored]\nclicks = {{ default = 0 }}\n',
        worker=lines,
    )
    started.address, started.files = started.address.replace("http:", "https:"), files
    started.context = ssl.create_default_context(cafile=files.ca)
    started.start()
    try:
        harness.wait_for(lambda: is_ready(started), 60, lambda: f"ready; log:\n{started.log()}")
        yield started
    finally:
        started.stop("SIGKILL")


def is_ready(worker):
    try:
        return ask(worker, "GET", "/readyz")[0] == 200
    except OSError:
        return False


def ask(worker, method, path, body=None, headers=()):
    """Send a request, and return the status, headers and JSON of its answer. Headers are pairs, so that a name may occur twice."""
    connection = http.client.HTTPSConnection("127.0.0.1", worker.port, timeout=20, context=worker.context)
    try:
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in [("Content-Length", str(len(data))), *headers]:
            connection.putheader(name, value)
        connection.endheaders(data)
        answer = connection.getresponse()
        content, is_json = answer.read(), "json" in answer.headers.get("Content-Type", "")
        return answer.status, answer.headers, json.loads(content) if content and is_json else content
    finally:
        connection.close()


def bearer(role):
    return [("Authorization", f"Bearer {SECRETS[role]}")]


def digest(worker):
    _, _, status = ask(worker, "GET", f"/v1/{TASK}", headers=bearer("admin"))
    return status["shards"][0]["position"], status["shards"][0]["digest"]


ROUTES = [
    ("GET", f"/v1/{TASK}", None, "predict", 200),
    ("GET", "/openapi.json", None, "predict", 200),
    ("GET", "/metrics", None, "predict", 200),
    ("POST", f"/v1/{TASK}/predict", QUESTION, "predict", 200),
    ("POST", f"/v1/{TASK}/predict/batch", [QUESTION], "predict", 200),
    ("POST", f"/v1/{TASK}/samples", SAMPLE, "feedback", 202),
    ("POST", f"/v1/{TASK}/labels", {"id": "q", "label": True}, "feedback", 202),
    ("PUT", f"/v1/{TASK}/features/anna", {"clicks": 1}, "feedback", 202),
    ("GET", f"/v1/{TASK}/features/berta", None, "predict", 404),
    ("DELETE", f"/v1/{TASK}/features/anna", None, "feedback", 202),
]


@pytest.mark.parametrize(("method", "path", "body", "role", "status"), ROUTES)
def test_each_route_opens_to_its_role_and_to_admin_and_to_no_other(worker, method, path, body, role, status):
    for key, way in itertools.product(("predict", "feedback", "admin"), ([], [harness.ORDINARY_WAY])):
        answered, _, answer = ask(worker, method, path, body, bearer(key) + way)
        if key in (role, "admin"):
            assert answered == status
        else:
            assert (answered, answer["code"]) == (403, "role")
            assert f"'{role}'" in answer["detail"]
    assert ask(worker, method, path, body, [("X-API-Key", SECRETS[role])])[0] == status


@pytest.mark.parametrize(("method", "path", "body", "role", "status"), ROUTES)
def test_without_a_key_or_with_a_wrong_one_nothing_opens(worker, method, path, body, role, status):
    secret = SECRETS[role]
    wrong = [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", "Bearer guess")],
        [("Authorization", f"Bearer {secret}x")],
        [("Authorization", f"Bearer {secret.upper()}")],
        [("Authorization", f"Basic {secret}")],
        [("Authorization", secret)],
        [("Authorization", f"Bearer {hashlib.sha256(secret.encode()).hexdigest()}")],
        [("X-API-Key", "guess")],
        [("X-API-Key", "")],
        [("X-API-Key", f"Bearer {secret}")],
        [("Api-Key", secret)],
        [("Cookie", f"X-API-Key={secret}")],
        [("X-API-Key", "é€".encode().decode("latin-1"))],
        [("Authorization", "Bearer guess"), ("Authorization", f"Bearer {secret}")],
        [("Authorization", f"Bearer {secret}"), ("X-API-Key", "guess")],
        [("X-API-Key", f"guess,{secret}")],
    ]
    for headers in wrong:
        status, answer_headers, problem = ask(worker, method, path, body, headers)
        assert (status, problem["status"]) == (401, 401), headers
        assert answer_headers["WWW-Authenticate"].startswith("Bearer")
        assert answer_headers["Content-Type"].startswith("application/problem+json")
    in_path = f"{path}?key={secret}&api_key={secret}&X-API-Key={secret}&access_token={secret}"
    assert ask(worker, method, in_path, body)[0] == 401


def test_health_is_open_and_what_does_not_exist_is_not(worker):
    assert ask(worker, "GET", "/healthz")[0] == 200
    assert ask(worker, "GET", "/readyz")[0] == 200
    for method, path in (
        ("GET", "/nope"),
        ("GET", "/v1/nope/nope"),
        ("DELETE", f"/v1/{TASK}"),
        ("GET", f"/v1/{TASK}/predict"),
        ("PUT", "/healthz"),
    ):
        assert ask(worker, method, path)[0] == 401
        assert ask(worker, method, path, headers=bearer("predict"))[0] in (404, 405)


def test_no_spelling_of_a_path_opens_it_to_a_lesser_key(worker):
    before = digest(worker)
    spellings = [
        f"/v1/{TASK}/./samples", f"/v1/{TASK}/predict/../samples", f"/v1/{TASK}/predict/%2e%2e/samples", f"//v1/{TASK}/samples",
        f"/v1//{TASK}/samples", f"/v1/{TASK}/samples/", f"/v1/{TASK}/samples//", f"/v1/{TASK}/%73amples", f"/v1/{TASK}%2fsamples",
        f"/V1/{TASK}/samples", f"/v1/{TASK}/SAMPLES", f"/v1/{TASK}/samples%00", f"/v1/{TASK}/samples;x=/predict", f"/v1/{TASK}/samples?/predict",
        f"/v1/{TASK}/samples%3f", f"/healthz/../v1/{TASK}/samples", f"/healthz/%2e%2e/v1/{TASK}/samples", f"/healthz;/v1/{TASK}/samples",
        f"/v1/{TASK}/predict/batch/../../samples", f"\\v1\\{TASK}\\samples", f"/v1/{TASK}/samples#/predict", f"/%76%31/{TASK}/samples",
        f"https://127.0.0.1/v1/{TASK}/samples", f"/v1/{TASK}/samples/../../../healthz",
    ]  # fmt: skip
    for path in spellings:
        for headers in ([], bearer("predict")):
            status, _, _ = ask(worker, "POST", path, SAMPLE, headers)
            assert status in (400, 401, 403, 404, 405), (path, headers, status)
    assert digest(worker) == before


def test_no_header_opens_a_path_or_changes_a_method(worker):
    before = digest(worker)
    tricks = [
        ("X-HTTP-Method-Override", "GET"), ("X-Method-Override", "GET"), ("X-Original-URL", "/healthz"), ("X-Rewrite-URL", "/healthz"),
        ("X-Forwarded-For", "127.0.0.1"), ("Forwarded", "for=127.0.0.1"), ("X-Real-IP", "127.0.0.1"), ("Host", "localhost"),
        ("X-Forwarded-User", "admin"), ("X-Role", "admin"), ("X-Forwarded-Prefix", "/healthz"), ("Referer", "https://127.0.0.1/healthz"),
        ("Upgrade", "websocket"), ("Connection", "X-API-Key"), ("X-API-Key\t", "for-admin"), ("Expect", "100-continue"),
    ]  # fmt: skip
    for trick in tricks:
        for headers in ([], bearer("predict")):
            status, _, _ = ask(worker, "POST", f"/v1/{TASK}/samples", SAMPLE, [*headers, trick])
            assert status in (400, 401, 403), (trick, status)
    assert digest(worker) == before


RAW = {
    "two lengths": b"Content-Length: 5\r\nContent-Length: 50\r\n\r\nhello",
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length": b"Content-Length: -1\r\n\r\n",
    "a length of words": b"Content-Length: five\r\n\r\nhello",
    "a broken chunk": b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "a folded header": b"X-A: 1\r\n Content-Length: 5\r\n\r\nhello",
    "a header without a colon": b"Authorization Bearer for-admin\r\nContent-Length: 2\r\n\r\n{}",
    "a null byte": b"X-A: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "a bare newline in a value": b"X-A: a\nX-API-Key: for-admin\r\nContent-Length: 2\r\n\r\n{}",
    "a long header": b"X-A: " + b"a" * 20_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    "many headers": b"".join(b"X-%d: a\r\n" % n for n in range(10_000)) + b"\r\n",
    "no such encoding": b"X-API-Key: for-predict\r\nContent-Encoding: nope\r\nContent-Length: 2\r\n\r\n{}",
    "gzip that is none": b"X-API-Key: for-predict\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("after", [b"", b"a question"])
@pytest.mark.parametrize("name", RAW)
def test_what_is_no_proper_request_is_refused_and_the_worker_lives(worker, name, after):
    with (
        socket.create_connection(("127.0.0.1", worker.port), timeout=20) as plain,
        worker.context.wrap_socket(plain, server_hostname="127.0.0.1") as sock,
    ):
        line = f"POST /v1/{TASK}/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
        if after:
            sock.sendall(line + b"X-API-Key: for-predict\r\nContent-Length: 22\r\n\r\n" + b'{"features": {"x": 1}}')
            assert b" 200 " in sock.recv(65536)
        sock.sendall(line + RAW[name])
        first = sock.recv(65536)
    assert first[:7] == b"HTTP/1."
    assert 400 <= int(first[9:12]) < 500, first
    assert ask(worker, "GET", "/healthz")[0] == 200
    assert worker.process.poll() is None


def test_a_large_body_is_refused_whether_its_length_is_told_or_not(worker):
    large = b'{"features": {"x": "' + b"y" * 100_000 + b'"}}'
    for role, path in (("predict", "predict"), ("predict", "predict/batch"), ("feedback", "samples")):
        status, _, problem = ask(worker, "POST", f"/v1/{TASK}/{path}", large, bearer(role))
        assert (status, problem["code"]) == (413, "too_large")
    chunks = b"".join(b"%x\r\n%s\r\n" % (50_000, b"y" * 50_000) for _ in range(3)) + b"0\r\n\r\n"
    assert b" 413 " in raw(worker, b"X-API-Key: for-predict\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert ask(worker, "POST", f"/v1/{TASK}/predict", large)[0] == 401, "whoever has no key is told nothing else"


def test_a_body_that_packs_much_into_little_is_refused(worker):
    import gzip

    bomb = gzip.compress(b'{"features": {"x": "' + b"y" * (50 << 20) + b'"}}')
    assert len(bomb) < 65_536
    status, _, _ = ask(worker, "POST", f"/v1/{TASK}/predict", bomb, [*bearer("predict"), ("Content-Encoding", "gzip")])
    assert status in (400, 413)
    assert worker.process.poll() is None


def raw(worker, rest, pieces=()):
    """Post a question in pieces with pauses between them, and return the bytes of the answer."""
    with (
        socket.create_connection(("127.0.0.1", worker.port), timeout=30) as plain,
        worker.context.wrap_socket(plain, server_hostname="127.0.0.1") as sock,
    ):
        sock.sendall(f"POST /v1/{TASK}/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode() + rest)
        for piece in pieces:
            time.sleep(0.2)
            sock.sendall(piece)
        return sock.recv(65536)


def test_a_body_that_comes_in_pieces_is_taken_and_one_that_does_not_come_is_not_waited_for(worker):
    body = json.dumps(QUESTION).encode()
    head = b"X-API-Key: for-predict\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert b" 200 " in raw(worker, head, [body[:5], body[5:]])
    answered = raw(worker, head + body[:5])  # and then nothing more
    assert b" 408 " in answered
    assert b'"slow_body"' in answered
    assert b" 401 " in raw(worker, b"Content-Length: 500\r\n\r\n" + body[:5]), "no waiting for whoever has no key"
    assert b" 408 " in raw(worker, b"X-API-Key: for-predict\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")


def test_a_slow_body_does_not_hold_up_others(worker):
    body = json.dumps(QUESTION).encode()
    head = (
        f"POST /v1/{TASK}/predict HTTP/1.1\r\nHost: x\r\nX-API-Key: for-predict\r\nContent-Length: 50\r\n\r\n".encode()
    )
    held = []
    try:
        for _ in range(50):
            held.append(
                worker.context.wrap_socket(
                    socket.create_connection(("127.0.0.1", worker.port)), server_hostname="127.0.0.1"
                )
            )
            held[-1].sendall(head + body[:5])
        assert ask(worker, "POST", f"/v1/{TASK}/predict", QUESTION, bearer("predict"))[0] == 200
        assert all(b" 408 " in one.recv(65536) for one in held)
    finally:
        for one in held:
            one.close()


def test_a_key_that_asks_too_often_is_told_when_to_ask_again(worker):
    ways = itertools.cycle(([], [harness.ORDINARY_WAY]))  # which share the rate
    answers = [ask(worker, "POST", f"/v1/{TASK}/predict", QUESTION, bearer("slow") + next(ways)) for _ in range(30)]
    refused = [(headers, problem) for status, headers, problem in answers if status == 429]
    assert answers[0][0] == 200
    assert refused
    assert all(int(headers["Retry-After"]) >= 1 and problem["code"] == "rate" for headers, problem in refused)
    assert ask(worker, "POST", f"/v1/{TASK}/predict", QUESTION, bearer("predict"))[0] == 200, (
        "each key has its own rate"
    )
    harness.wait_for(
        lambda: ask(worker, "POST", f"/v1/{TASK}/predict", QUESTION, bearer("slow"))[0] == 200, 10, "let in again"
    )


def test_the_command_line_shows_its_key_and_checks_the_certificate(worker, headrace, monkeypatch):
    monkeypatch.setenv("HEADRACE_KEY", SECRETS["predict"])
    called = headrace("predict", TASK, "x=1", "--config", worker.config, "--json")
    assert called.status == 0, called.err
    monkeypatch.setenv("HEADRACE_KEY", "guess")
    called = headrace("status", TASK, "--config", worker.config)
    assert (called.status, "not known" in called.err) == (1, True)
    text = worker.config.read_text()
    other = worker.folder / "other.toml"
    other.write_text(text.replace(str(worker.files.ca), str(worker.files.other_ca)))
    called = headrace("status", TASK, "--config", other)
    assert (called.status, "certificate verify failed" in called.err) == (1, True)


def test_without_tls_a_worker_with_tls_says_nothing(worker):
    with socket.create_connection(("127.0.0.1", worker.port), timeout=10) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            assert b"alive" not in sock.recv(1000)
        except ConnectionResetError:
            pass


def test_no_key_that_was_shown_is_in_the_log_or_in_an_answer(worker):
    for headers in (bearer("predict"), [("X-API-Key", "wrong-for-sure")], [("Authorization", "Basic wrong-for-sure")]):
        _, answer_headers, answer = ask(worker, "POST", f"/v1/{TASK}/samples", SAMPLE, headers)
        assert "wrong-for-sure" not in f"{answer_headers}{answer}"
        assert SECRETS["predict"] not in f"{answer_headers}{answer}"
    log = worker.log()
    assert not [secret for secret in (*SECRETS.values(), "wrong-for-sure") if secret in log]


def settings(**worker):
    return parse({"worker": worker, "tasks": {"ads": {"kind": "binary"}}}, Path("headrace.toml"))


@pytest.mark.parametrize("web", ["0.0.0.0:6066", "192.0.2.1:80", "mill.example:6066"])
def test_where_others_reach_it_a_worker_without_keys_does_not_start(monkeypatch, web):
    monkeypatch.delenv("HEADRACE_KEYS", raising=False)
    with pytest.raises(SettingsError, match="there are no keys"):
        doors_of(settings(web=web), ())
    doors_of(settings(web=web, insecure=True), ())
    monkeypatch.setenv("HEADRACE_KEYS", keys().splitlines()[0])
    assert len(doors_of(settings(web=web), ()).keys) == 1


def test_the_refusal_ends_the_command(tmp_path, headrace, monkeypatch):
    monkeypatch.delenv("HEADRACE_KEYS", raising=False)
    (tmp_path / "headrace.toml").write_text('[worker]\nweb = "0.0.0.0:6066"\n[tasks.ads]\nkind = "binary"\n')
    called = headrace("worker", "--config", tmp_path / "headrace.toml")
    assert called.status == 2
    assert "worker.insecure" in called.err
    assert not (tmp_path / "data").exists()


def test_on_loopback_it_starts_open(monkeypatch):
    monkeypatch.delenv("HEADRACE_KEYS", raising=False)
    assert not doors_of(settings(web="127.0.0.1:6066"), ()).keys


@pytest.mark.parametrize(
    "worker",
    [
        {"rate_limit": 0},
        {"rate_limit": float("nan")},
        {"rate_limit": float("inf")},
        {"body_seconds": 0},
        {"body_seconds": float("nan")},
        {"tls": {"cert": "a.pem"}},
        {"tls": True},
        {"insecure": "yes"},
        {"keys": "x"},
    ],
)
def test_settings_of_the_doors_that_make_no_sense_are_refused(worker):
    with pytest.raises(SettingsError):
        settings(**worker)

"""The HTTP clients, blocking and async, against a worker with keys and stored features, and against servers with other answers."""

import hashlib
import inspect
import pickle
import subprocess
import sys
import uuid
from typing import get_args

import harness
import httpx
import pytest
from blocking import Blocking

from headrace import AsyncClient, Client, Task
from headrace.agents.shard import OwnedState
from headrace.app.answers import ShardState
from headrace.app.client import (
    AccessError,
    At,
    ClientError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    RateError,
    RefusedError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
)
from headrace.learning.task import Feature, Stored, define

TASK = f"client-{uuid.uuid4().hex[:8]}"
SECRETS = {"admin": "grain-of-the-client", "predict": "grain-of-the-phone"}
TOML = f"""
[tasks.{TASK}]
kind = "binary"
[tasks.{TASK}.features]
x = {{ type = "float" }}
clicks = {{ type = "int", min = 0 }}
[tasks.{TASK}.stored]
clicks = {{ default = 0 }}
[tasks.{TASK}-plain]
kind = "binary"
"""


both = pytest.mark.parametrize("kind", [Client, Blocking], ids=["sync", "async"])


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("HEADRACE_KEY", raising=False)


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("client")
    lines = [f"of-{role} {role} {hashlib.sha256(secret.encode()).hexdigest()}" for role, secret in SECRETS.items()]
    (folder / "keys").write_text("\n".join(lines))
    started = harness.Worker(folder, broker, TOML, f"keys_file = '{folder}/keys'").start()
    try:
        started.wait_ready()
        with Client(started.address, key=SECRETS["admin"]) as client:
            harness.wait_for(
                lambda: [shard.state for shard in client.status(TASK).shards] == ["live"], 60, "the shard is open"
            )
        yield started
    finally:
        started.stop("SIGKILL")


@pytest.fixture
def client(worker, request):
    with request.param(worker.address, key=SECRETS["admin"]) as client:
        yield client


both_clients = pytest.mark.parametrize("client", [Client, Blocking], ids=["sync", "async"], indirect=True)


@both_clients
def test_samples_are_learned_and_the_model_is_asked(client):
    rows = [{"features": {"x": float(n % 2), "clicks": 1}, "label": bool(n % 2)} for n in range(400)]
    appended = client.samples(TASK, rows)
    assert len(appended.positions) == 400
    options = {"key": "u1", "id": uuid.uuid4().hex, "time": 1.5, "source": f"{uuid.uuid4().hex}/0/7"}
    last = client.sample(TASK, {"x": 1.0, "clicks": 1}, label=True, **options)
    assert last == At(0, appended.positions[-1].offset + 1)

    answer = client.predict(TASK, {"x": 1.0}, id="q", key="u1", min_position=last.offset + 1, wait_s=10)
    assert (answer.id, answer.prediction, answer.arm, answer.version) == ("q", True, "champion", None)
    assert answer.position > last.offset
    assert answer.probabilities["true"] > 0.5 > answer.probabilities["false"]
    assert answer.probabilities["true"] + answer.probabilities["false"] == pytest.approx(1)
    fresh = client.predict(TASK, {"x": 0.0}, fresh=True)
    assert fresh.prediction is False
    assert not fresh.logged

    answers = client.batch(TASK, [{"features": {"x": 1.0}, "id": "a"}, {"features": {"x": 0.0}, "id": "b"}])
    assert [(one.id, one.prediction) for one in answers] == [("a", True), ("b", False)]

    status = client.status(TASK)
    assert (status.task, status.kind) == (TASK, "binary")
    assert (status.settings["features"]["clicks"]["min"], status.settings["stored"]) == (0, {"clicks": {"default": 0}})
    declared = {"x": Feature(), "clicks": Feature(type="int", min=0.0)}
    task = client.task(TASK)
    assert define(task) == define(Task(name=TASK, kind="binary", features=declared))
    assert (task.name, task.stored) == (TASK, {"clicks": Stored(default=0)})
    (shard,) = status.shards
    assert (shard.partition, shard.state) == (0, "live")
    assert shard.position == shard.end == last.offset + 1
    assert shard.arms["champion"].role == "champion"
    assert shard.arms["champion"].metrics["accuracy"] > 0.8
    assert status.overall.shards == [0]
    overall = status.overall.arms["champion"]
    assert overall.metrics == shard.arms["champion"].metrics
    assert overall.calibration["equal_width"].ece == overall.metrics["ece"]
    assert overall.scored == sum(pair.count for pair in overall.confusion)


@both_clients
def test_questions_that_were_logged_are_joined_by_their_labels(client):
    ids = [uuid.uuid4().hex for _ in range(3)]
    answered = client.status(TASK).shards[0].questions["answered"]
    asked = [client.predict(TASK, {"x": 1.0}, id=one, log="durable") for one in ids]
    assert [one.logged.offset - asked[0].logged.offset for one in asked] == [0, 1, 2]
    at = client.label(TASK, ids[0], True)
    appended = client.labels(TASK, [{"id": one, "label": False} for one in ids[1:]])
    assert [one.offset for one in appended.positions] == [at.offset + 1, at.offset + 2]
    harness.wait_for(
        lambda: client.status(TASK).shards[0].questions["answered"] == answered + 3, 20, "three labels joined"
    )
    with pytest.raises(ConflictError, match="in the log already, or on its way"):
        client.predict(
            TASK, {"x": 1.0}, id=client.predict(TASK, {"x": 1.0}, id=uuid.uuid4().hex, log=True).id, log=True
        )


@both_clients
@pytest.mark.parametrize("key", ["u1", "a/b", "..", "ü %25?#&"])
def test_features_are_stored_shown_and_removed(client, key):
    with pytest.raises(NotFoundError) as caught:
        client.get_features(TASK, key)
    assert caught.value.code == "unknown_entity"
    assert client.put_features(TASK, key, {"clicks": 3}).partition == 0

    def stored():
        try:
            return client.get_features(TASK, key)
        except NotFoundError:
            return None

    harness.wait_for(lambda: stored() is not None, 20, "stored")
    entity = stored()
    assert (entity.key, entity.features["clicks"].value) == (key, 3)
    assert -1 < entity.features["clicks"].age_s < 60
    client.delete_features(TASK, key)
    harness.wait_for(lambda: stored() is None, 20, "removed")


@both_clients
def test_a_refusal_has_the_status_code_detail_and_remedy_of_its_document(client):
    with pytest.raises(NotFoundError) as caught:
        client.predict("nothing", {"x": 1.0})
    error = caught.value
    assert (error.status, error.code, error.detail) == (404, "unknown_task", "there is no task 'nothing'.")
    assert error.remedy == f"Tasks here: {TASK}, {TASK}-plain."
    assert str(error) == f"{error.detail} {error.remedy}"


@both_clients
@pytest.mark.parametrize(
    ("method", "arguments", "kind", "status", "code"),
    [
        ("predict", (TASK, {"x": "much"}), InvalidRequestError, 422, "record"),
        ("predict", (TASK, {"x": float("nan")}), InvalidRequestError, 400, "not_json"),
        ("predict", (TASK, {"x": 1.0, "other": 1.0}), InvalidRequestError, 422, "record"),
        ("batch", (TASK, [{"features": {"x": 1.0}}, {"features": {}}]), InvalidRequestError, 422, "record"),
        ("sample", (TASK, {"x": 1.0}, "maybe"), InvalidRequestError, 422, "label"),
        ("samples", (TASK, []), InvalidRequestError, 422, "too_many"),
        ("labels", (TASK, [{"id": "a"}]), InvalidRequestError, 422, "incomplete"),
        ("put_features", (TASK, "u", {"x": 1.0}), InvalidRequestError, 422, "record"),
        ("get_features", (TASK, "k" * 257), InvalidRequestError, 422, "key"),
        ("get_features", (f"{TASK}-plain", "u"), NotFoundError, 404, "no_stored_features"),
        ("status", ("../healthz",), NotFoundError, 404, "unknown_task"),
    ],
)
def test_what_a_worker_refuses_is_an_error_of_its_kind(client, method, arguments, kind, status, code):
    with pytest.raises(RefusedError) as caught:
        getattr(client, method)(*arguments)
    assert (type(caught.value), caught.value.status, caught.value.code) == (kind, status, code)


@both
def test_the_key_is_the_argument_or_the_environment(worker, monkeypatch, kind):
    with kind(worker.address) as client, pytest.raises(AccessError) as caught:
        client.status(TASK)
    assert (caught.value.status, caught.value.code) == (401, "no_key")
    monkeypatch.setenv("HEADRACE_KEY", SECRETS["predict"])
    with kind(worker.address) as client:
        assert client.status(TASK).task == TASK
        with pytest.raises(AccessError) as caught:
            client.sample(TASK, {"x": 1.0}, label=True)
    assert caught.value.status == 403
    for key, code in (("guess", "unknown_key"), ("grüße", "unknown_key"), ("", "no_key")):
        with kind(worker.address, key=key) as client, pytest.raises(AccessError) as caught:
            client.status(TASK)
        assert (caught.value.status, caught.value.code) == (401, code)


@both
def test_where_no_worker_answers_the_address_is_named(kind):
    address = f"http://127.0.0.1:{harness.free_port()}"
    with kind(address) as client, pytest.raises(UnreachableError) as caught:
        client.status("ads")
    assert address in caught.value.what
    assert caught.value.remedy == "Start one: headrace worker."


@both
def test_a_server_that_does_not_answer_in_time_is_unreachable(kind):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with kind(address, timeout=0.2) as client, pytest.raises(UnreachableError) as caught:
            client.status("ads")
    assert not caught.value.what.endswith(": .")


def answering(status, content, **headers):
    return httpx.MockTransport(lambda _: httpx.Response(status, content=content, headers=headers))


@both
@pytest.mark.parametrize(
    ("status", "content", "reason"),
    [
        (200, b"<html>", "something else than a JSON object."),
        (200, b"\xff", "something else than a JSON object."),
        (200, b'{"task": 1}', "of the expected shape"),
        (502, b"<html>", "something else than a JSON object."),
        (404, b"[]", "something else than a JSON object."),
    ],
)
def test_what_no_worker_answers_is_told(kind, status, content, reason):
    with kind(transport=answering(status, content)) as client, pytest.raises(UnexpectedAnswerError) as caught:
        client.status("ads")
    assert reason in caught.value.what


@both
@pytest.mark.parametrize(
    ("status", "expected"), [(429, RateError), (500, UnavailableError), (503, UnavailableError), (418, RefusedError)]
)
def test_refusals_are_told_apart_by_status_and_say_when_to_try_again(kind, status, expected):
    document = b'{"code": "c", "detail": "d.", "remedy": "R."}'
    transport = answering(status, document, **{"Retry-After": "3"})
    with kind(transport=transport) as client, pytest.raises(ClientError) as caught:
        client.batch("ads", [])
    error = pickle.loads(pickle.dumps(caught.value))
    assert type(error) is expected
    assert (error.status, error.code, error.detail, error.remedy, error.retry_after) == (status, "c", "d.", "R.", 3.0)


@pytest.mark.parametrize("key", ["grain\n", "grain\r\nX: y", "\0"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_quoted(key):
    with pytest.raises(ClientError) as caught:
        Client(key=key)
    assert "grain" not in str(caught.value)


def test_an_address_that_is_none_is_refused():
    with pytest.raises(ClientError, match="is no URL"):
        Client("http://127.0.0.1:port")


def test_no_proxy_and_no_netrc_see_a_key(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with Client(key="grain") as client:
        assert not client._http.trust_env
        assert client._http.headers["Authorization"] == "Bearer grain"


def test_both_clients_have_the_same_methods_with_the_same_parameters():
    def methods(kind):
        return {name: method for name, method in vars(kind).items() if not name.startswith("_")}

    sync, other = methods(Client), methods(AsyncClient)
    assert sync.keys() == other.keys()
    for name, method in sync.items():
        assert inspect.signature(method) == inspect.signature(other[name])
        assert inspect.iscoroutinefunction(other[name])


def test_a_status_knows_every_state_of_a_shard():
    assert {*get_args(ShardState)} == {*get_args(OwnedState), "waiting", "replica"}


def test_a_client_loads_no_server_and_no_model():
    code = "import sys; from headrace import Client; print({'faust', 'aiokafka', 'river', 'aiohttp'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=harness.ROOT) == "set()\n"


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_what_a_command_takes_may_have_any_name(client):
    given = {"task": {"kind": "binary"}, "command": "x", "self": 1}
    assert inspect.signature(client.control).bind(None, "ads", "define", **given).kwargs == given

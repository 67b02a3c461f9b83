"""Stored features over HTTP: written, shown, removed, used in answers, and replaced by defaults while Redis is down, slow or wrong."""

import asyncio
import json
import uuid

import harness
import pytest
from redis_server import NEEDED, running_redis

from headrace import Client
from headrace.app.client.errors import NotFoundError, RefusedError, UnavailableError

NAME = f"stored-{uuid.uuid4().hex[:8]}"
STORED = """
[tasks.{name}.features]
x = {{ type = "float" }}
clicks = {{ type = "int", min = 0 }}
country = {{ type = "string", values = ["PT", "DE", "none"] }}
[tasks.{name}.stored]
clicks = {{ default = 0 }}
country = {{ default = "none" }}
[features]
budget_ms = 100
ttl = "1h"
{url}
"""


def toml(name, url="", partitions=2):
    return f'[tasks.{name}]\nkind = "binary"\npartitions = {partitions}\n' + STORED.format(name=name, url=url)


def put(client, name, key, features):
    """Write features, wait until a look-up has them, and return their place in the topic."""
    at = client.put_features(name, key, features)
    wanted = {feature: value for feature, value in features.items() if value is not None}
    harness.wait_for(lambda: values(client, name, key) == wanted, 20, f"{wanted} stored")
    return at


def values(client, name, key):
    """Return the features of a look-up, or the code with which it is refused."""
    try:
        return {feature: stored.value for feature, stored in client.get_features(name, key).features.items()}
    except RefusedError as error:
        return error.code


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    plain = '[tasks.plain]\nkind = "binary"\n'
    started = harness.Worker(tmp_path_factory.mktemp("stored"), broker, toml(NAME) + plain).start()
    try:
        yield started.wait_ready()
    finally:
        started.stop("SIGKILL")


@pytest.fixture(scope="module")
def client(worker):
    with Client(worker.address) as client:
        yield client


@pytest.mark.parametrize("key", ["u1", "a/b", "..", "ü %25?#&", "\0offset", "k" * 256])
def test_what_is_put_is_shown_with_its_age_and_is_gone_when_it_is_deleted(client, key):
    with pytest.raises(NotFoundError) as refused:
        client.get_features(NAME, key)
    assert refused.value.code == "unknown_entity"
    assert put(client, NAME, key, {"clicks": 3, "country": "PT"}).partition == 0
    entity = client.get_features(NAME, key)
    assert entity.key == key
    assert -1 < entity.features["clicks"].age_s < 60
    put(client, NAME, key, {"clicks": 4, "country": None})
    client.delete_features(NAME, key)
    harness.wait_for(lambda: values(client, NAME, key) == "unknown_entity", 20, "removed")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "not_json"),
        (b"{", 400, "not_json"),
        (b'{"clicks": NaN}', 400, "not_json"),
        (b'{"clicks":' + b"[" * 5000, 400, "not_json"),
        (b'{"clicks":' + b"[" * 900 + b"]" * 900 + b"}", 422, "record"),
        (b"[1]", 422, "not_an_object"),
        (b"null", 422, "not_an_object"),
        (b'{"clicks": 1, "clicks": 2}', 422, "duplicate_key"),
        ({"clicks": "many"}, 422, "record"),
        ({"clicks": -1}, 422, "record"),
        ({"clicks": [1]}, 422, "record"),
        ({"country": "XX"}, 422, "record"),
        ({"x": 1.0}, 422, "record"),
        ({"another": 1}, 422, "record"),
        ({"another": None}, 422, "record"),
    ],
)
def test_what_no_record_could_hold_is_refused_and_not_stored(worker, client, body, status, code):
    answered, problem = worker.post(f"/v1/{NAME}/features/refused", body, method="PUT")
    assert (answered, problem["code"]) == (status, code), problem
    assert values(client, NAME, "refused") == "unknown_entity"


@pytest.mark.parametrize(
    "call",
    [
        lambda client, name, key: client.get_features(name, key),
        lambda client, name, key: client.put_features(name, key, {"clicks": 1}),
        lambda client, name, key: client.delete_features(name, key),
    ],
    ids=["GET", "PUT", "DELETE"],
)
@pytest.mark.parametrize(
    ("name", "key", "code"),
    [("plain", "u1", "no_stored_features"), ("nothing", "u1", "unknown_task"), (NAME, "k" * 257, "key")],
    ids=["no_stored_features", "unknown_task", "key"],
)
def test_a_task_without_stored_features_and_a_key_that_is_too_long_are_problems(client, call, name, key, code):
    with pytest.raises(RefusedError) as refused:
        call(client, name, key)
    assert refused.value.code == code


def learn_that_clicks_decide(client, name):
    """Append samples whose `clicks` and `country` decide the label, so that an answer shows which of them the model was given."""
    samples = [
        {
            "features": {"x": 0.5, "clicks": 10 * (n % 2), "country": ["DE", "PT"][n % 2]},
            "label": bool(n % 2),
            "key": key,
        }
        for key in ("u-many", "u-none")
        for n in range(400)
    ]
    ends = {at.partition: at.offset + 1 for at in client.samples(name, samples).positions}
    harness.wait_for(
        lambda: all(shard.position >= ends.get(shard.partition, 0) for shard in client.status(name).shards),
        30,
        "learned",
    )


def ask(client, name, key, **features):
    return client.predict(name, {"x": 0.5} | features, key=key).probabilities["true"]


def test_answers_use_what_is_stored_unless_the_question_says_otherwise(client):
    learn_that_clicks_decide(client, NAME)
    put(client, NAME, "u-many", {"clicks": 10, "country": "PT"})
    assert ask(client, NAME, "u-many") == ask(client, NAME, "u-many", clicks=10, country="PT") > 0.5
    assert ask(client, NAME, "u-many", clicks=0, country="DE") < 0.5
    assert ask(client, NAME, "u-none") == ask(client, NAME, "u-none", clicks=0, country="none")
    questions = [{"features": {"x": 0.5}, "key": key} for key in ("u-many", "u-none", "u-many")]
    answers = client.batch(NAME, [*questions, {"features": {"x": 0.5}}])
    probabilities = [answer.probabilities["true"] for answer in answers[:3]]
    assert probabilities == [ask(client, NAME, key) for key in ("u-many", "u-none", "u-many")]


def test_a_sample_is_logged_with_what_is_stored_at_that_time(worker, client, broker):
    put(client, NAME, "u-frozen", {"clicks": 6})
    at = client.sample(NAME, {"x": 0.5}, True, key="u-frozen")
    messages = asyncio.run(harness.read_all(broker, f"{NAME}.events", at.partition))
    (record,) = [json.loads(message.value) for message in messages if message.offset == at.offset]
    assert record["features"] == {"x": 0.5, "clicks": 6, "country": "none"}
    assert worker.post(f"/v1/{NAME}/samples", [1])[0] == 422
    assert worker.post(f"/v1/{NAME}/samples", {"features": [], "label": True, "key": 5})[0] == 422


def test_a_restarted_worker_has_what_was_stored(broker, tmp_path):
    name = f"again-{uuid.uuid4().hex[:8]}"
    worker = harness.Worker(tmp_path, broker, toml(name, partitions=1), instance="one").start()
    try:
        with Client(worker.wait_ready().address) as client:
            put(client, name, "u1", {"clicks": 5})
            worker.stop("SIGKILL")
            worker.start().wait_ready()
            assert values(client, name, "u1") == {"clicks": 5}
    finally:
        worker.stop("SIGKILL")


def log_both(client, name, key, x):
    """Ask a question that is logged, send a sample, and wait until both are in the log."""
    client.predict(name, {"x": x}, key=key, log=True)
    end = client.sample(name, {"x": x}, True, key=key).offset + 1
    harness.wait_for(lambda: client.status(name).shards[0].position >= end, 20, "folded")


def in_log(broker, name):
    """Return the stored features in the records whose x is below 0, by x: those of a question and of a sample."""
    logged = {}
    for message in asyncio.run(harness.read_records(broker, f"{name}.events")):
        features = json.loads(message.value)["features"]
        if features["x"] < 0:
            logged.setdefault(features["x"], []).append(
                {feature: features[feature] for feature in ("clicks", "country")}
            )
    return logged


@NEEDED
def test_redis_down_slow_or_wrong_in_the_middle_costs_no_answer_and_loses_nothing(broker, tmp_path):
    name = f"redis-{uuid.uuid4().hex[:8]}"
    with running_redis(tmp_path / "redis", password="open-sesame") as redis:
        worker = harness.Worker(tmp_path / "worker", broker, toml(name, f'url = "{redis.url}"', partitions=1)).start()
        client = Client(worker.address)
        try:
            worker.wait_ready()
            learn_that_clicks_decide(client, name)
            put(client, name, "u-many", {"clicks": 10, "country": "PT"})

            def stored():
                return ask(client, name, "u-many", clicks=10, country="PT")

            def default():
                return ask(client, name, "u-many", clicks=0, country="none")

            assert ask(client, name, "u-many") == stored() != default()

            redis.kill()
            assert [ask(client, name, "u-many") for _ in range(20)] == [default()] * 20
            log_both(client, name, "u-many", -1.0)
            with pytest.raises(UnavailableError):
                client.get_features(name, "u-many")
            client.put_features(name, "u-late", {"clicks": 7})  # the topic takes it
            redis.start()
            harness.wait_for(lambda: ask(client, name, "u-many") == stored(), 30, "filled again")
            harness.wait_for(lambda: values(client, name, "u-late") == {"clicks": 7}, 30, "what was written meanwhile")

            redis.signal("SIGSTOP")
            assert [ask(client, name, "u-many") for _ in range(20)] == [default()] * 20
            log_both(client, name, "u-many", -2.0)
            redis.signal("SIGCONT")
            harness.wait_for(lambda: ask(client, name, "u-many") == stored(), 30, "quick again")

            redis.client.set(f"headrace:{{{name}}}:u-many", "no hash")
            assert ask(client, name, "u-many") == default()
            log_both(client, name, "u-many", -3.0)
            put(client, name, "u-many", {"clicks": 10, "country": "PT"})
            log_both(client, name, "u-many", -4.0)

            by_default, by_store = {"clicks": 0, "country": "none"}, {"clicks": 10, "country": "PT"}
            frozen = {x: [by_default] * 2 for x in (-1.0, -2.0, -3.0)} | {-4.0: [by_store] * 2}
            assert in_log(broker, name) == frozen
            counts = client.status(name).stored
            assert counts["failed"] > 0
            assert counts["slow"] > 0
            assert counts["wrong"] == 6  # of three records two each
            assert counts["defaulted"] == sum(counts[why] for why in ("missing", "failed", "slow", "wrong"))
            assert "open-sesame" not in worker.log()
        finally:
            client.close()
            worker.stop("SIGKILL")


def findings(headrace, folder, broker, url):
    config = folder / "headrace.toml"
    config.write_text(f'[broker]\nurl = "kafka://{broker}"\n{toml("ads", url)}')
    called = headrace("doctor", "--config", config, "--json")
    return called, {finding["check"]: finding for finding in json.loads(called.out)}["feature store"]


@NEEDED
@pytest.mark.parametrize("state", ["right", "locked", "away"])
def test_doctor_says_whether_redis_answers_and_shows_no_password(headrace, broker, tmp_path, state):
    with running_redis(tmp_path / "redis", password="open-sesame") as redis:
        url = redis.url.replace("open-sesame", "close-sesame") if state == "locked" else redis.url
        if state == "away":
            redis.kill()
        called, finding = findings(headrace, tmp_path, broker, f'url = "{url}"')
    assert finding["status"] == ("ok" if state == "right" else "fault"), finding
    assert f"redis://127.0.0.1:{redis.port}/0" in finding["what"]
    assert "sesame" not in called.out + called.err


def test_doctor_has_no_fault_to_find_in_the_embedded_store(headrace, broker, tmp_path):
    _, finding = findings(headrace, tmp_path, broker, "")
    assert (finding["status"], finding["what"].split(",")[0]) == ("ok", "embedded")

"""A task of anomalies from outside: its files, its routes, its commands and its page."""

import csv
import json
import random
import uuid

import harness
import httpx
import msgspec
import pytest

from headrace import Client, Task
from headrace.app.contract import operations
from headrace.app.files.sources import open_source
from headrace.app.openapi import write_document
from headrace.app.views import ROUTES

TASK = f"payments-{uuid.uuid4().hex[:8]}"
TOML = f"""
[tasks.{TASK}]
kind = "anomaly"
threshold = 0.98
partitions = 1
predictions = true
[tasks.{TASK}.features]
amount = {{ type = "float" }}
country = {{ type = "string", step = "frequency" }}
[tasks.{TASK}.columns]
id = "payment"
"""


def payments(count, first=0):
    """Payments, of which one in a hundred is large."""
    dice = random.Random(7)
    for number in range(first, first + count):
        strange = number % 100 == 57
        amount = dice.lognormvariate(3, 0.5) * (dice.uniform(10, 30) if strange else 1)
        yield {"payment": f"p{number}", "amount": round(amount, 2), "country": dice.choice(["PT", "ES"])}, strange


def write(path, rows):
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return path


# Files.


def records(path, **more):
    task = msgspec.convert({"name": "ads", "kind": "anomaly", **more}, Task)
    samples = list(open_source(str(path), task).samples)
    assert [one.reason for one in samples if one.reason] == []
    return [json.loads(one.value) for one in samples]


def test_init_takes_a_file_without_a_label(headrace, tmp_path):
    table = write(tmp_path / "payments.csv", [row for row, _ in payments(300)])
    config = tmp_path / "headrace.toml"
    called = headrace("init", "--config", config, table, "--kind", "anomaly", "--id", "payment")
    assert called.status == 0
    text = config.read_text()
    assert 'kind = "anomaly" ' in text
    assert 'model = "half_space_trees"' in text
    assert 'country = { type = "string", step = { use = "frequency", bits = 12 } }' in text
    assert "label = " not in text


@pytest.mark.parametrize("named", [(), ("--label", "label")])
def test_init_knows_a_column_of_labels(headrace, tmp_path, named):
    rows = [row | {"label": "yes" if strange else "no"} for row, strange in payments(300)]
    config = tmp_path / "headrace.toml"
    table = write(tmp_path / "payments.csv", rows)
    called = headrace("init", "--config", config, table, "--kind", "anomaly", *named)
    assert called.status == 0
    assert 'label = "label"' in config.read_text()
    assert "predicts the label alone" not in called.out


def test_rows_without_a_label_are_samples_and_those_with_one_have_it(tmp_path):
    table = tmp_path / "rows.csv"
    table.write_text("price,label\n1.5,yes\n2.5,\n3.5,no\n")
    labels = [one.get("label") for one in records(table)]
    assert labels == [True, None, False]
    table.write_text("price\n1.5\n")
    assert records(table) == [{"features": {"price": 1.5}}]


def test_lines_of_json_need_no_label(tmp_path):
    table = tmp_path / "rows.jsonl"
    table.write_text('{"features": {"price": 1.5}}\n{"id": "a", "features": {"price": 2.5}}\n')
    assert [one.get("id") for one in records(table)] == [None, "a"]


def test_init_asks_which_label_means_an_anomaly(headrace, tmp_path):
    table = write(tmp_path / "rows.csv", [{"price": at, "state": ["good", "bad"][at % 2]} for at in range(50)])
    asked = ("init", "--config", tmp_path / "headrace.toml", table, "--kind", "anomaly", "--label", "state")
    assert "which label means true?" in headrace(*asked).err
    assert headrace(*asked, "--positive", "bad").status == 0


# The document.


def test_the_document_needs_no_label_of_a_sample():
    tasks = [Task(name="odd", kind="anomaly"), Task(name="ads", kind="binary")]
    schemas = write_document(operations(ROUTES), tasks, has_keys=False)["components"]["schemas"]
    assert schemas["Sample.odd"]["required"] == ["features"]
    assert schemas["Sample.ads"]["required"] == ["features", "label"]
    assert schemas["Sample.odd"]["properties"]["label"] == {"type": "boolean"}


# A worker.


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    started = harness.Worker(tmp_path_factory.mktemp("anomalies"), broker, TOML).start()
    try:
        yield started.wait_ready()
    finally:
        started.stop("SIGKILL")


@pytest.fixture(scope="module")
def taught(worker):
    with Client(worker.address) as client:
        rows = [{"id": row.pop("payment"), "features": row} for row, _ in payments(600)]
        client.samples(TASK, rows)
    harness.wait_for(lambda: shard(worker)["updates"] >= 600, 20, "learned")
    return worker


def shard(worker):
    return worker.get(f"/v1/{TASK}")["shards"][0]


USUAL, STRANGE = {"amount": 20.0, "country": "PT"}, {"amount": 2_000.0, "country": "AQ"}


def test_an_answer_has_the_decision_and_the_score(taught):
    _, usual = taught.post(f"/v1/{TASK}/predict", {"features": USUAL})
    _, strange = taught.post(f"/v1/{TASK}/predict", {"features": STRANGE})
    assert (usual["prediction"], strange["prediction"]) == (False, True)
    assert usual["probabilities"] is None
    assert usual["score"] < 0.98 <= strange["score"] <= 1.0


def test_a_logged_question_is_learned_and_its_label_is_measured(taught):
    before = shard(taught)
    status, asked = taught.post(f"/v1/{TASK}/predict", {"features": STRANGE, "id": "q1", "log": True})
    assert status == 200
    harness.wait_for(lambda: shard(taught)["updates"] == before["updates"] + 1, 10, "learned")
    labels = [{"id": row["payment"], "label": strange} for row, strange in payments(600)]
    assert taught.post(f"/v1/{TASK}/labels", [{"id": "q1", "label": True}, *labels])[0] == 202
    harness.wait_for(lambda: shard(taught)["questions"]["answered"] >= 601, 20, "answered")
    after = shard(taught)
    assert after["updates"] == before["updates"] + 1
    metrics = after["arms"]["champion"]["metrics"]
    assert metrics["roc_auc"] > 0.8
    assert metrics["recall"] is not None
    found = taught.get(f"/v1/{TASK}/predictions/q1")
    assert found["arms"]["champion"]["score"] == pytest.approx(asked["score"], abs=0.1)
    assert found["served"]["prediction"] is True


def test_a_frame_of_questions_becomes_one_with_scores(taught):
    with Client(taught.address) as client:
        rows = client.predict(TASK, [USUAL, STRANGE])
    assert [row["prediction"] for row in rows] == [False, True]
    assert [0.0 <= row["score"] <= 1.0 for row in rows] == [True, True]


def test_samples_and_frames_without_labels_are_sent(taught):
    with Client(taught.address) as client:
        at = client.sample(TASK, USUAL)
        assert client.predict(TASK, USUAL, min_position=at.offset + 1).position > at.offset
        sent = client.send(TASK, [{"payment": f"f{at}", **USUAL} for at in range(3)])
    assert (sent.appended, sent.refused) == (3, 0)


def test_the_commands_show_such_a_task(taught, headrace, tmp_path):
    config = ("--config", taught.config)
    called = headrace("status", TASK, *config)
    assert "half_space_trees" in called.out
    called = headrace("predict", TASK, "amount=2000", "country=AQ", *config)
    assert called.out.startswith("true\n  score: ")
    assert headrace("explain", TASK, "p57", *config).status == 0
    assert headrace("metrics", TASK, *config).status == 0
    assert headrace("report", TASK, "--out", tmp_path / "report.html", *config).status == 0
    assert headrace("drift", TASK, *config).status == 0
    refused = headrace("baseline", TASK, "--from", taught.config, *config)
    assert "a batch model is trained on labels" in refused.err


def test_the_page_and_the_metrics_show_such_a_task(taught):
    for path in ("/", f"/tasks/{TASK}", "/metrics", "/openapi.json", f"/v1/{TASK}/experiments", f"/v1/{TASK}/drift"):
        assert httpx.get(taught.address + path).status_code == 200
    with httpx.stream("GET", f"{taught.address}/tasks/{TASK}/live") as live:
        first = next(line for line in live.iter_lines() if line.startswith("data:"))
    assert json.loads(first.removeprefix("data:"))

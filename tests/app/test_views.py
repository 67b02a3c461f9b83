"""The routes of a running worker."""

import uuid

import harness
import pytest
from served import VIEWS as TASK


@pytest.fixture
def worker(served):
    return served


def shard(worker, partition=0):
    return worker.get(f"/v1/{TASK}")["shards"][partition]


def test_health_and_readiness(worker):
    assert worker.get("/healthz") == {"status": "alive"}
    assert worker.get("/readyz") == {"status": "ready"}


def test_a_sample_is_appended_learned_and_seen_by_the_next_prediction(worker):
    question = {"features": {"x": 3.0}, "key": "someone", "id": "q1"}
    _, before = worker.post(f"/v1/{TASK}/predict", question)
    status, answer = worker.post(f"/v1/{TASK}/samples", {"features": {"x": 3.0}, "label": True, "key": "someone"})
    assert status == 202
    (at,) = answer["positions"]
    harness.wait_for(lambda: shard(worker, at["partition"])["position"] > at["offset"], 10, "learned")
    _, after = worker.post(f"/v1/{TASK}/predict", question)
    assert after["id"] == "q1"
    assert after["position"] == at["offset"] + 1
    assert after["probabilities"]["true"] > before["probabilities"]["true"]
    assert after["prediction"] is True
    assert (after["arm"], after["version"]) == ("champion", None)
    assert after["staleness_s"] < 5


def test_a_question_without_an_id_is_given_one_of_its_own(worker):
    ids = {worker.post(f"/v1/{TASK}/predict", {"features": {}})[1]["id"] for _ in range(3)}
    assert len(ids) == 3


def test_a_batch_is_answered_in_its_order(worker):
    status, answers = worker.post(
        f"/v1/{TASK}/predict/batch", [{"features": {"x": n}, "id": f"b{n}"} for n in range(5)]
    )
    assert status == 200
    assert [answer["id"] for answer in answers] == [f"b{n}" for n in range(5)]


def test_the_status_has_its_shape(worker):
    status = worker.get(f"/v1/{TASK}")
    assert (status["task"], status["kind"], len(status["shards"])) == (TASK, "binary", 2)
    one = status["shards"][0]
    assert set(status["logging"]) == {"appended", "failed", "refused"}
    assert {"partition", "state", "position", "end", "updates", "quarantined", "skipped", "digest", "arms"} <= set(one)
    counts = {"waiting", "early", "answered", "expired", "orphans", "duplicates", "label_delay_s"}
    assert set(one["questions"]) == counts
    assert set(one["questions"]["label_delay_s"]) == {"p50", "p90", "p99"}
    assert {"scored", "accuracy"} <= set(one["served"])
    assert one["state"] == "live"
    assert len(one["digest"]) == 64
    champion = one["arms"]["champion"]
    assert (champion["role"], champion["model"], champion["version"]) == ("champion", "logistic", None)
    figures = {
        "accuracy",
        "balanced_accuracy",
        "f1",
        "precision",
        "recall",
        "log_loss",
        "brier_score",
        "ece",
        "roc_auc",
    }
    assert figures | {"pr_auc", "mcc", "cohen_kappa", "window"} <= set(champion["metrics"])
    assert status["overall"]["shards"] == [0, 1]
    overall = status["overall"]["arms"]["champion"]
    assert set(overall["metrics"]) == set(champion["metrics"])
    assert set(overall["calibration"]) == {"equal_width", "equal_mass"}
    assert sum(pair["count"] for pair in overall["confusion"]) == overall["scored"]
    assert sum(one["count"] for one in overall["calibration"]["equal_width"]["bins"]) == overall["scored"]
    assert [one["threshold"] for one in overall["thresholds"]] == [part / 16 for part in range(1, 16)]
    assert overall["quantile_losses"] == {}
    assert {"scored", "accuracy"} <= set(status["overall"]["served"])


def test_asking_changes_no_digest(worker):
    before = shard(worker)["digest"]
    for number in range(50):
        worker.post(f"/v1/{TASK}/predict", {"features": {f"unknown{number}": number, "s": "text"}})
    assert shard(worker)["digest"] == before


def test_a_second_question_under_an_id_is_refused_and_not_logged(worker):
    ask = {"features": {"x": 1.0}, "id": f"once-{uuid.uuid4()}", "log": True}
    status, answer = worker.post(f"/v1/{TASK}/predict", ask)
    assert status == 200
    at = answer["logged"]
    for log in (True, "async"):  # on its way or folded, whichever it is by now
        status, problem = worker.post(f"/v1/{TASK}/predict", ask | {"log": log})
        assert (status, problem["code"]) == (409, "duplicate_id")
    harness.wait_for(lambda: shard(worker, at["partition"])["position"] > at["offset"], 10, "folded")
    assert worker.post(f"/v1/{TASK}/predict", ask)[0] == 409
    assert worker.post(f"/v1/{TASK}/predict/batch", [ask | {"id": "other"}, ask])[0] == 409
    assert worker.post(f"/v1/{TASK}/predict", ask | {"log": False})[0] == 200
    described = shard(worker, at["partition"])
    assert described["end"] == at["offset"] + 1
    assert described["questions"]["duplicates"] == 0


def test_a_question_that_is_too_large_to_wait_is_refused_and_not_logged(worker):
    ends = [shard(worker, partition)["end"] for partition in range(2)]
    features = {f"f{number}": "x" * 4000 for number in range(70)}
    for log in (True, "async"):
        status, problem = worker.post(f"/v1/{TASK}/predict", {"features": features, "id": "big", "log": log})
        assert (status, problem["code"]) == (413, "too_large")
    assert worker.post(f"/v1/{TASK}/predict", {"features": features})[0] == 200
    assert [shard(worker, partition)["end"] for partition in range(2)] == ends

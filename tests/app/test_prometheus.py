"""`GET /metrics` of a running worker: the families, their values, and what `promtool` says of them."""

import re
from types import SimpleNamespace
from typing import get_args

import harness
import pytest
from promtool import needs_promtool, promtool
from scrape import Scrape
from served import AMOUNTS, METRICS

from headrace import Learner, Task
from headrace.agents.background import BackgroundStatus
from headrace.agents.telemetry import Telemetry
from headrace.app.families import FAMILIES, OF_PROCESS, Owned, Process
from headrace.learning.signals import SignalKind
from headrace.learning.task import ArmSettings
from headrace.tables.kafka.partitioner import partition_of

KEYS = {partition_of(f"k{number}", 2): f"k{number}" for number in range(20)}

DECLARED = {family.name: ((*labels, *family.labels), family) for labels, table in FAMILIES for family in table}


@pytest.fixture
def worker(served):
    return served


def learn(worker, task=METRICS, count=30, partition=0, label=lambda number: number % 2 == 0):
    """Append samples, and wait until they are learned; the last position."""
    samples = [
        {"features": {"x": number}, "label": label(number), "key": KEYS[partition] if task == METRICS else "k"}
        for number in range(count)
    ]
    status, appended = worker.post(f"/v1/{task}/samples", samples)
    assert status == 202, appended
    end = appended["positions"][-1]["offset"] + 1
    place = {"task": task, "partition": str(partition)}
    harness.wait_for(lambda: Scrape(worker).of("headrace_position_offset", **place) == [end], 20, "learned")
    return end


def test_a_scrape_has_exactly_the_declared_families(worker):
    scraped = Scrape(worker).families
    assert set(scraped) == set(DECLARED)
    for name, family in scraped.items():
        _, declared = DECLARED[name]
        assert (family.type, family.documentation) == (declared.type, declared.meaning)


def test_every_series_has_the_declared_labels(worker):
    learn(worker, count=1)
    for name, family in Scrape(worker).families.items():
        labels, _ = DECLARED[name]
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(labels), name


def test_names_are_those_that_prometheus_asks_for():
    for name, (labels, family) in DECLARED.items():
        assert name.startswith("headrace_")
        assert name.endswith("_total") == (family.type == "counter")
        assert name.endswith("_seconds") or family.type != "histogram"
        assert len(set(labels)) == len(labels)
        assert re.match(r"[A-Z1].*\.$", family.meaning), name


@needs_promtool
def test_promtool_finds_nothing_to_complain_of(worker):
    learn(worker, count=1)
    assert promtool("check", "metrics", text=Scrape(worker).text) == (0, "")


@needs_promtool
def test_promtool_would_find_a_fault(worker):
    text = Scrape(worker).text.replace("headrace_updates_total", "headrace_updates")
    assert promtool("check", "metrics", text=text)[0] != 0


def test_the_answer_is_text_for_prometheus(worker):
    assert Scrape(worker).headers["Content-Type"].startswith("text/plain; version=")
    content = worker.get("/openapi.json")["paths"]["/metrics"]["get"]["responses"]["200"]["content"]
    assert content == {"text/plain": {"schema": {"type": "string"}}}


def test_the_figures_of_a_shard_follow_its_log(worker):
    learn(worker, count=1)
    before, place = Scrape(worker), {"task": METRICS, "partition": "0"}
    end = learn(worker, count=40)
    harness.wait_for(lambda: Scrape(worker).one("headrace_end_offset", **place) == end, 20, "the end was looked up")
    after = Scrape(worker)
    status = worker.get(f"/v1/{METRICS}")["shards"][0]
    assert (status["position"], status["updates"]) == (end, after.one("headrace_updates_total", **place))
    for name, grown in {
        "headrace_updates_total": 40,
        "headrace_records_total": 40,
        "headrace_position_offset": 40,
        "headrace_arrived_messages_total": 40,
    }.items():
        assert after.one(name, **place) - before.one(name, **place) == grown, name
    assert after.one("headrace_lag_messages", **place) == 0
    assert after.one("headrace_staleness_seconds", **place, state="live") < 10
    assert after.one("headrace_shards", task=METRICS, state="live") == 2
    assert after.one("headrace_shards", task=METRICS, state="stopped") == 0


def test_accuracy_and_loss_are_those_of_the_status(worker):
    learn(worker, count=50)
    scrape, status = Scrape(worker), worker.get(f"/v1/{METRICS}")["shards"][0]["arms"]["champion"]["metrics"]
    arm = {"task": METRICS, "partition": "0", "arm": "champion", "role": "champion"}
    for window, figures in {"all": status, "recent": status["window"]}.items():
        accuracy = scrape.one("headrace_accuracy_ratio", **arm, window=window)
        assert accuracy == pytest.approx(figures["accuracy"], abs=1e-12)
        assert scrape.one("headrace_log_loss", **arm, window=window) == pytest.approx(figures["log_loss"], abs=1e-12)
    assert scrape.of("headrace_mean_absolute_error", task=METRICS) == []


def test_a_regression_has_a_mean_absolute_error(worker):
    learn(worker, AMOUNTS, label=lambda number: 2.0 * number)
    scrape, status = Scrape(worker), worker.get(f"/v1/{AMOUNTS}")["shards"][0]["arms"]["champion"]["metrics"]
    for window, figures in {"all": status, "recent": status["window"]}.items():
        error = scrape.one("headrace_mean_absolute_error", task=AMOUNTS, arm="champion", window=window)
        assert error == pytest.approx(figures["mae"])
    assert scrape.of("headrace_accuracy_ratio", task=AMOUNTS) == []


def test_each_message_counts_in_the_update_latency(worker):
    learn(worker, count=1)
    before = Scrape(worker)
    learn(worker, count=25, partition=1)
    after = Scrape(worker)
    counts = [one.one("headrace_update_latency_seconds_count", task=METRICS) for one in (before, after)]
    assert counts[1] - counts[0] == 25
    sums = [one.one("headrace_update_latency_seconds_sum", task=METRICS) for one in (before, after)]
    assert 0 <= sums[1] - sums[0] < 25 * 60
    assert after.one("headrace_update_latency_seconds_bucket", task=METRICS, le="+Inf") == counts[1]


def test_requests_and_questions_are_counted(worker):
    before = Scrape(worker)
    question = {"features": {"x": 1.0}, "key": KEYS[0]}
    assert worker.post(f"/v1/{METRICS}/predict", question)[0] == 200
    assert worker.post(f"/v1/{METRICS}/predict/batch", [question] * 5)[0] == 200
    assert worker.post(f"/v1/{METRICS}/predict", question | {"min_position": 10**9, "wait_s": 0})[0] == 409
    after = Scrape(worker)

    def grown(name, **labels):
        return sum(after.of(name, task=METRICS, **labels)) - sum(before.of(name, task=METRICS, **labels))

    assert grown("headrace_predictions_total") == 6
    assert grown("headrace_inference_latency_seconds_count") == 2
    assert grown("headrace_predictions_refused_total", code="not_yet") == 1


def test_questions_that_wait_and_the_delay_of_their_labels_are_shown(worker):
    place = {"task": METRICS, "partition": "1"}
    ids = [f"delayed{number}" for number in range(3)]
    for name in ids:
        question = {"features": {"x": 1.0}, "id": name, "key": KEYS[1], "log": True}
        assert worker.post(f"/v1/{METRICS}/predict", question)[0] == 200
    harness.wait_for(lambda: Scrape(worker).one("headrace_pending_questions", **place) == 3, 20, "they wait")
    for name in ids[:2]:
        assert worker.post(f"/v1/{METRICS}/labels", {"id": name, "label": True, "key": KEYS[1]})[0] == 202
    harness.wait_for(lambda: Scrape(worker).one("headrace_pending_questions", **place) == 1, 20, "two are answered")
    scrape = Scrape(worker)
    assert scrape.one("headrace_questions_answered_total", **place) == 2
    delays = [scrape.one("headrace_label_delay_seconds", **place, percentile=str(one)) for one in (50, 90, 99)]
    assert 0 <= delays[0] <= delays[1] <= delays[2] < 60


def test_refused_records_are_counted_by_code_and_each_code_begins_at_zero(worker):
    before = Scrape(worker)
    assert before.one("headrace_quarantined_total", task=AMOUNTS, code="not_json") == 0
    harness.asyncio.run(harness.append(broker_of(worker), f"{METRICS}.events", [(0, b"no JSON"), (0, b"{}")]))
    harness.wait_for(
        lambda: (
            [
                Scrape(worker).one("headrace_quarantined_total", task=METRICS, code=code)
                - before.one("headrace_quarantined_total", task=METRICS, code=code)
                for code in ("not_json", "incomplete")
            ]
            == [1, 1]
        ),
        20,
        "both are in quarantine",
    )


def broker_of(worker):
    return re.search(r"kafka://([^\"]+)", worker.config.read_text())[1]


def test_snapshots_and_versions_are_counted(worker):
    place = {"task": METRICS, "partition": "0"}
    learn(worker, count=5)
    before = Scrape(worker)
    status, done = worker.post(f"/v1/{METRICS}/control", {"control": "checkpoint", "id": "metrics-checkpoint"})
    assert status == 200, done
    saved = [one.one("headrace_versions_saved_total", **place) for one in (before, Scrape(worker))]
    assert saved[1] - saved[0] == 1
    learn(worker, count=50)
    status, done = worker.post(f"/v1/{METRICS}/control", {"control": "rollback", "to": "best", "id": "metrics-back"})
    assert status == 200, done
    assert (
        Scrape(worker).one("headrace_rollbacks_total", **place) - before.one("headrace_rollbacks_total", **place) == 1
    )
    assert Scrape(worker).one("headrace_versions", **place) >= 2

    def is_saved():
        scrape = Scrape(worker)
        counts = [one.one("headrace_snapshot_duration_seconds_count", task=METRICS) for one in (before, scrape)]
        return counts[1] > counts[0] and scrape.one("headrace_unsaved_messages", **place) == 0

    harness.wait_for(is_saved, 30, "a snapshot")
    scrape = Scrape(worker)
    assert scrape.one("headrace_snapshot_written_bytes_total", task=METRICS) > 1_000
    assert scrape.one("headrace_state_bytes", **place) > 1_000
    assert scrape.one("headrace_snapshots_failed_total", task=METRICS) == 0


def test_a_paused_shard_shows_who_has_paused_it(worker):
    place = {"task": AMOUNTS, "partition": "0"}
    assert worker.post(f"/v1/{AMOUNTS}/control", {"control": "pause", "id": "metrics-pause"})[0] == 200
    try:
        assert Scrape(worker).one("headrace_paused", **place, by="operator") == 1
        assert Scrape(worker).one("headrace_paused", **place, by="breaker") == 0
    finally:
        worker.post(f"/v1/{AMOUNTS}/control", {"control": "resume", "id": "metrics-resume"})
    harness.wait_for(lambda: Scrape(worker).one("headrace_paused", **place, by="operator") == 0, 20, "it goes on")


def test_the_worker_counts_rebalances_and_knows_its_background_tasks(worker):
    scrape = Scrape(worker)
    assert scrape.one("headrace_rebalances_total") >= 1
    assert scrape.one("headrace_background_restarts_total", background="topics") == 0
    assert scrape.one("headrace_background_restarts_total", background=f"shard 1 of {METRICS}") == 0
    assert 0 <= scrape.one("headrace_buffer_bytes") < scrape.one("headrace_buffer_limit_bytes")


def test_signals_begin_at_zero(worker):
    series = {"task": METRICS, "partition": "0", "arm": "champion", "watched": "error"}
    values = Scrape(worker).of("headrace_signals_total", **series, direction="worse")
    assert len(values) >= 2  # a detector, and guards
    assert set(values) == {0}


def test_every_kind_of_signal_is_named_and_the_verdicts_of_experiments_begin_at_zero():
    _, family = DECLARED["headrace_signals_total"]
    assert all(kind in family.meaning for kind in get_args(SignalKind)), family.meaning
    task = Task(name="ads", kind="binary", detectors=[], arms={"tree": ArmSettings(model="hoeffding_tree")})
    learner, telemetry = Learner(task, 0), Telemetry()
    owned = Owned(SimpleNamespace(partition=0, telemetry=telemetry), learner.state)
    series = {labels: count for labels, count in family.values(owned) if labels[0] == "experiment"}
    told = [("experiment", "tree", "experiment", "error", direction) for direction in ("worse", "better", "changed")]
    assert series.keys() >= set(told)
    assert set(series.values()) == {0}


def test_reading_metrics_changes_no_digest(worker):
    learn(worker, count=3)
    digests = []
    for _ in range(2):
        digests.append([shard["digest"] for shard in worker.get(f"/v1/{METRICS}")["shards"]])
        for _ in range(5):
            Scrape(worker)
    assert digests[0] == digests[1]
    assert None not in digests[0]


def test_new_features_keys_ids_and_refusals_make_no_new_series(worker):
    def series():
        return {line.rpartition(" ")[0] for line in Scrape(worker).text.splitlines() if not line.startswith("#")}

    learn(worker, count=3)
    before = series()
    samples = [
        {
            "features": {f"name{number}": 1.0, "text": f"value{number}"},
            "label": True,
            "id": f"s{number}",
            "key": KEYS[0],
        }
        for number in range(20)
    ]
    status, appended = worker.post(f"/v1/{METRICS}/samples", samples)
    assert status == 202, appended
    end = appended["positions"][-1]["offset"] + 1
    place = {"task": METRICS, "partition": "0"}
    harness.wait_for(lambda: Scrape(worker).one("headrace_position_offset", **place) >= end, 20, "learned")
    assert worker.post(f"/v1/{METRICS}/predict", {"features": {"x": 1.0}, "id": "never seen"})[0] == 200
    assert series() == before


def test_a_background_task_that_failed_is_counted_under_its_name():
    statuses = [
        BackgroundStatus("topics", "running", 3, "OSError()"),
        BackgroundStatus("shard 0 of ads", "running", 0, None),
    ]
    app = SimpleNamespace(describe_background=lambda: statuses)
    (family,) = [one for one in OF_PROCESS if one.name == "headrace_background_restarts_total"]
    values = dict(family.values(Process(app, None)))
    assert values == {("topics",): 3, ("shard 0 of ads",): 0}

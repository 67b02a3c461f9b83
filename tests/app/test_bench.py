"""`headrace bench` on a worker: what it sends, what it prints, and what it refuses."""

import hashlib
import json
import uuid

import harness
import pytest
from served import AMOUNTS, DECLARED

from headrace.app.cli.bench import find_limits, show
from headrace.app.load.load import Load, Measured
from headrace.app.load.requests import Row

SECRET = "grain-of-the-bench"


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    """A worker with keys."""
    folder, name = tmp_path_factory.mktemp("bench"), f"bench-{uuid.uuid4().hex[:8]}"
    (folder / "keys").write_text(f"bench admin {hashlib.sha256(SECRET.encode()).hexdigest()}\n")
    toml = f"""
[tasks.{name}]
kind = "binary"
partitions = 2
[tasks.{name}.features]
price = {{ type = "float", min = 0, max = 100 }}
country = {{ type = "string", values = ["PT", "DE"] }}
"""
    worker = harness.Worker(folder, broker, toml, f"keys_file = '{folder}/keys'")
    worker.task = name
    try:
        yield worker.start().wait_ready()
    finally:
        worker.stop("SIGKILL")


@pytest.fixture
def bench(worker, headrace, monkeypatch):
    """Return a function that runs the command against the worker."""
    monkeypatch.setenv("HEADRACE_KEY", SECRET)

    def call(*words):
        return headrace("bench", worker.task, "--config", worker.config, "--seconds", 1, "--warm-up", 0.5, *words)

    return call


def shards(worker):
    answer = harness.HTTP.get(f"{worker.address}/v1/{worker.task}", headers={"Authorization": f"Bearer {SECRET}"})
    return answer.json()["shards"]


def updates(worker):
    return sum(shard["updates"] for shard in shards(worker))


def test_questions_at_a_rate_are_a_table_that_fits_80_columns(bench, worker):
    before = updates(worker)
    called = bench("--rate", 50)
    assert called.status == 0, called
    assert "predict, at 50 a second, 16 connections, 1,000 generated rows in turn" in called.out.replace("\n", " ")
    assert "question" in called.out
    table = called.out.splitlines()[1:3]
    assert table[0].split() == ["request", "sent", "a", "second", "failed", "p50", "p95", "p99", "p99.9", "max"]
    assert all(len(line) <= 80 for line in table)
    assert updates(worker) == before


def test_json_has_the_figures(bench):
    answer = json.loads(bench("--rate", 50, "--json").out)
    figures = answer["requests"]["question"]
    assert (answer["loop"], figures["count"], figures["failed"], figures["per_s"]) == ("open", 50, 0, 50.0)
    assert 0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["max_ms"]


def test_a_closed_loop_says_what_its_latencies_are_not(bench):
    called = bench("--connections", 2)
    assert called.status == 0, called
    assert "closed loop" in called.out


def test_samples_are_learned(bench, worker):
    before = updates(worker)
    answer = json.loads(bench("--kind", "samples", "--rate", 50, "--learn", "--json").out)
    assert answer["requests"]["sample"]["failed"] == 0
    harness.wait_for(lambda: updates(worker) >= before + 74, 30, "the samples are learned, those of the warm-up too")


def test_questions_get_their_labels(bench, worker):
    before = updates(worker)
    answer = json.loads(bench("--kind", "labels", "--rate", 40, "--delay", 0.2, "--learn", "--json").out)
    assert {name: one["failed"] for name, one in answer["requests"].items()} == {"question": 0, "label": 0}
    harness.wait_for(lambda: updates(worker) >= before + 59, 30, "each question has its label")
    assert sum(shard["questions"]["waiting"] for shard in shards(worker)) == 0


@pytest.mark.parametrize("kind", ["samples", "labels"])
def test_nothing_is_learned_unless_asked_for(bench, worker, kind):
    before = updates(worker)
    called = bench("--kind", kind)
    assert called.status == 2
    assert "--learn" in called.err
    assert updates(worker) == before


def test_rows_of_a_file_are_sent(bench, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("price,country,label\n3.5,PT,true\n99,DE,false\n")
    called = bench("--rate", 20, "--rows", file)
    assert called.status == 0, called
    assert "2 rows of" in called.out


def test_a_wrong_row_of_a_file_is_named(bench, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("price,country,label\n300,PT,true\n")
    called = bench("--rows", file)
    assert called.status == 2
    assert "line 2" in called.err


def test_without_a_key_nothing_is_run(worker, headrace, monkeypatch):
    monkeypatch.delenv("HEADRACE_KEY", raising=False)
    called = headrace("bench", worker.task, "--config", worker.config)
    assert called.status == 1
    assert "HEADRACE_KEY" in called.err


def test_refused_requests_are_counted_and_end_with_status_1(bench, worker, monkeypatch):
    rows = [Row({"price": 1000.0, "country": "PT"})]
    monkeypatch.setattr("headrace.app.cli.bench.generated_rows", lambda task: rows)
    called = bench("--rate", 20)
    assert called.status == 1
    assert "20 failed" in called.out
    assert "declared are values up to 100" in called.out


def test_a_table_of_large_figures_fits_80_columns(capsys):
    load = Load("http://mill:1", None, iter(()), rate=None, connections=1, warm_up=0, seconds=1)
    measured = load.measured["question"] = Measured()
    for _ in range(3):
        measured.latencies.add(9.9999)
        measured.fail("rate", "too many.")
    measured.latencies.count = 9_999_999
    show(load)
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 80


def test_a_rate_that_is_too_high_is_said():
    load = Load("http://mill:1", None, iter(()), rate=100.0, connections=1, warm_up=0, seconds=1)
    assert not find_limits(load)
    load.backlog = 50
    assert "50 requests waited" in find_limits(load)[0]


def test_a_worker_that_is_away_is_an_error(headrace, tmp_path):
    config = tmp_path / "headrace.toml"
    config.write_text(f'[worker]\nweb = "127.0.0.1:{harness.free_port()}"\n[tasks.p]\nkind = "binary"\n')
    called = headrace("bench", "p", "--config", config)
    assert called.status == 1
    assert "no worker answers" in called.err


@pytest.mark.parametrize("task", [AMOUNTS, DECLARED], ids=["undeclared", "declared"])
def test_tasks_of_other_kinds_and_without_features_are_asked(served, headrace, task):
    called = headrace("bench", task, "--config", served.config, "--rate", 20, "--seconds", 0.5, "--warm-up", 0)
    assert called.status == 0, called
    assert ("made-up" in called.out) == (task == AMOUNTS)

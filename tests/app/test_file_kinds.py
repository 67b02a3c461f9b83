"""Each kind of file, from `headrace init` to a prediction, without an option but the label."""

import json
import shlex

import harness
import pytest
from file_kinds import KINDS

from headrace import Client
from headrace.app.cli.predict import parse_features
from headrace.app.files.sources import open_source
from headrace.app.settings import load
from headrace.learning.records import Reader
from headrace.testing import MemoryLog


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.file)
def test_every_kind_of_file_becomes_a_model_worth_having(headrace, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    (tmp_path / kind.file).write_bytes(kind.make())
    called = headrace("init", kind.file, "--label", kind.label)
    assert called.status == 0, called.err

    (task,) = load("headrace.toml").tasks.values()
    types = {name: feature.type for name, feature in (task.features or {}).items()}
    assert task.kind == kind.kind
    assert {name for name, type_ in types.items() if type_ == "float"} == set(kind.numbers), "no silent category"
    assert {name for name, type_ in types.items() if type_ != "float"} == set(kind.words)
    assert {name for name, one in task.features.items() if one.optional} == set(kind.optional)
    assert (task.columns and task.columns.id) == kind.id

    log = MemoryLog(task)
    samples = list(open_source([kind.file], task).samples)
    assert [sample.reason for sample in samples if sample.reason] == []
    for sample in samples:
        log.append(sample.value)
    learner = log.fold().learner
    assert (learner.state.quarantined, learner.state.updates) == (0, len(samples))
    ours, others = figures(learner, kind.kind)
    assert ours > max(others), (ours, others)

    example = shlex.split(called.out.partition("headrace predict ")[2].replace("\\\n", ""))
    question = parse_features(tuple(example[1:]), None, task)
    asked = Reader(task).read_record(json.dumps({"id": "q", "features": question}).encode())
    prediction = learner.champion.predict(asked.features)
    assert prediction is not None
    assert type(prediction.value) is {"binary": bool, "multiclass": str, "regression": float}[kind.kind]


def figures(learner, kind):
    """The figure of the champion and of the baselines that look at no feature; the higher the better."""
    arms = learner.describe()["arms"]
    name, sign = ("mae", -1) if kind == "regression" else ("accuracy", 1)
    found = {arm: sign * one["metrics"][name] for arm, one in arms.items()}
    return found.pop("champion"), list(found.values())


BROKERED = ["adult.csv", "bestellungen.csv", "records.ndjson", "x.csv.zst"]
"""The files that go through a broker and a worker too: two words, a German Excel, records, and one that is packed."""


@pytest.fixture
def worker(broker, headrace, tmp_path):
    """A worker of the tasks that `headrace init` has written."""
    kinds = [kind for kind in KINDS if kind.file in BROKERED]
    made = tmp_path / "made.toml"
    for at, kind in enumerate(kinds):
        (tmp_path / kind.file).write_bytes(kind.make())
        words = ["--add"] if at else []
        assert headrace("init", tmp_path / kind.file, "--label", kind.label, "--config", made, *words).status == 0
    tasks = made.read_text()
    started = harness.Worker(tmp_path / "work", broker, tasks[tasks.index("[tasks.") :]).start()
    try:
        yield started.wait_ready()
    finally:
        started.stop()


def wait_for_updates(address, name):
    with Client(address) as client:
        harness.wait_for(lambda: client.status(name).shards[0].updates == 400, 60, lambda: client.status(name))


def test_files_go_through_a_broker_without_an_option(worker, tmp_path):
    for name, task in load(str(worker.config)).tasks.items():
        file = next(one for one in BROKERED if one.startswith(name.split("-")[0]))
        sent = worker.run("send", name, str(tmp_path / file))
        assert (sent.returncode, sent.stdout[:9]) == (0, "400 rows "), sent.stderr
        wait_for_updates(worker.address, name)
        samples = list(open_source([str(tmp_path / file)], task).samples)
        log = MemoryLog(task)
        for sample in samples:
            log.append(sample.value, key=sample.key)
        status = json.loads(worker.run("status", name, "--json").stdout)
        assert status["shards"][0]["quarantined"] == 0
        assert (
            status["shards"][0]["arms"]["champion"]["metrics"]
            == log.fold().learner.describe()["arms"]["champion"]["metrics"]
        )
        cells = {"adult": ["age=30", "workclass=Rome", "hours=90", "native-country=United-States"],
                 "bestellungen": ["Stadt=Köln", "Preis=9.000,00 €", "Rabatt=5 %", "Größe=1,25", "Bestellt am=01.03.2026"],
                 "records": ["town=Rome", "amount=95"], "x": ["town=Rome", "amount=95"]}[name]  # fmt: skip
        said = worker.run("predict", name, *cells)
        word = {"adult": "true (>50K)", "bestellungen": "true (ja)", "records": "true (late)", "x": "true"}[name]
        assert said.stdout.splitlines()[0] == word, said.stdout + said.stderr

"""Arms of a running worker: experiments, traffic, promotion and batch models, over HTTP and by the command line."""

import json
import random
import uuid

import harness
import pytest
from called import command
from scrape import Scrape

from headrace import Client
from headrace.learning.experiments import Traffic

SETTINGS = """\
[tasks.TASK]
kind = "binary"
model = "majority"
segments = ["country"]
threshold = 0.4
features = { x = {}, country = { type = "string" } }
arms.learner = { model = "logistic" }
"""

HOW = ("hand", "auto")

BATCH = 'arms.batch = { onnx = "TASK-batch.onnx" }\n'


def rows(count, seed):
    dice = random.Random(seed)
    for _ in range(count):
        x = dice.gauss(0, 1)
        yield {"features": {"x": x, "country": dice.choice(["PT", "ES"])}, "label": x > 0}


@pytest.fixture
def worker(broker, tmp_path):
    name = f"arms-{uuid.uuid4().hex[:8]}"
    started = harness.Worker(tmp_path / "one", broker, SETTINGS.replace("TASK", name), instance="one")
    started.task = name
    started.start().wait_ready()
    yield started
    started.stop()


def test_arms_are_compared_split_and_promoted(worker):
    with Client(worker.address) as client:
        client.samples(worker.task, list(rows(600, 1)))
        harness.wait_for(lambda: client.status(worker.task).shards[0].updates == 600, 30, "all learned")
        status = client.status(worker.task)
        roles = {name: arm.role for name, arm in status.shards[0].arms.items()}
        assert roles == {
            "champion": "champion",
            "no_change": "baseline",
            "majority": "baseline",
            "learner": "challenger",
        }
        assert status.overall.regret.best == "learner"
        assert status.overall.regret.all > 0.2
        assert set(status.overall.segments["country"]) == {"PT", "ES"}
        assert status.shards[0].arms["learner"].threshold == 0.4

        found = worker.get(f"/v1/{worker.task}/experiments")["experiments"]
        (experiment,) = found
        assert (experiment["a"], experiment["b"], experiment["verdict"]) == ("champion", "learner", "b_better")
        assert experiment["low"] <= experiment["difference"] <= experiment["high"]
        assert json.loads(command(worker, "compare", "champion", "learner", "--json"))["experiments"] == found
        assert "learner is better" in " ".join(command(worker, "compare").split())

        end = client.status(worker.task).shards[0].end
        done = worker.run("traffic", worker.task, "learner=30%", "learner=40%")
        assert (done.returncode, "the arm 'learner' stands twice" in done.stderr) == (2, True)
        twice = b'{"control": "traffic", "shares": {"learner": 0.3, "learner": 0.4}}'
        status, refused = worker.post(f"/v1/{worker.task}/control", twice)
        assert (status, refused["code"]) == (422, "duplicate_key")
        assert "'learner' stands twice" in refused["detail"]
        assert client.status(worker.task).shards[0].end == end, "nothing is in the log"
        command(worker, "traffic", "learner=30%", "--salt", "spring")
        assert client.status(worker.task).shards[0].traffic == {"champion": 0.7, "learner": 0.3}
        traffic = Traffic()
        traffic.split({"learner": 0.3}, "spring")
        question = {"features": {"x": 1.0, "country": "PT"}}
        asked = [f"user {number}" for number in range(200)]
        answers = {
            key: worker.post(f"/v1/{worker.task}/predict", question | {"key": key, "log": key == asked[-1]})[1]
            for key in asked
        }
        assert {key: answer["arm"] for key, answer in answers.items()} == {key: traffic.choose(key) for key in asked}
        assert len({(answer["arm"], answer["probabilities"]["true"]) for answer in answers.values()}) == 2
        logged = answers[asked[-1]]
        harness.wait_for(
            lambda: client.status(worker.task).shards[0].position > logged["logged"]["offset"], 20, "the question"
        )
        looked_up = worker.get(f"/v1/{worker.task}/predictions/{logged['id']}?key=user%20199")
        assert looked_up["served"]["arm"] == logged["arm"]

        promotions = [Scrape(worker).one("headrace_promotions_total", task=worker.task, how=how) for how in HOW]
        assert promotions == [0, 0]
        assert "promoted learner" in command(worker, "promote", "learner")
        promotions = [Scrape(worker).one("headrace_promotions_total", task=worker.task, how=how) for how in HOW]
        assert promotions == [1, 0]
        arms = client.status(worker.task).shards[0].arms
        assert (arms["champion"].model, arms["learner"].model) == ("logistic", "majority")


def test_a_batch_model_is_trained_by_the_command_applied_and_compared(worker, tmp_path):
    pytest.importorskip("skl2onnx")
    history = tmp_path / "history.ndjson"
    history.write_text("".join(json.dumps(row) + "\n" for row in rows(400, 2)))
    said = command(worker, "baseline", "--from", str(history))
    assert "accuracy" in said
    assert f'onnx = "{worker.task}-batch.onnx"' in said
    again = worker.run("baseline", worker.task, "--from", str(history))
    assert (again.returncode, "is there already" in " ".join(again.stderr.split())) == (1, True), "the log may name it"
    shard = worker.get(f"/v1/{worker.task}")["shards"][0]
    arms = {"batch": {"onnx": f"sha256:{'0' * 64}"}}
    record = {"control": "define", "task": shard["definition"]["task"] | {"arms": arms}}
    status, refused = worker.post(f"/v1/{worker.task}/control", record)
    assert (status, "no ONNX file with the digest 0000" in refused["detail"]) == (422, True)
    with worker.config.open("a") as settings:
        settings.write(BATCH.replace("TASK", worker.task))
    assert "changed arms" in command(worker, "apply"), "the worker that runs finds the new file"
    assert worker.get(f"/v1/{worker.task}")["shards"][0]["end"] == shard["end"] + 1, "the refused one is not in the log"
    with Client(worker.address) as client:
        client.samples(worker.task, list(rows(300, 3)))
        harness.wait_for(lambda: client.status(worker.task).shards[0].updates == 300, 30, "all learned")
        batch = client.status(worker.task).shards[0].arms["batch"]
        assert (batch.role, batch.updates) == ("frozen", 0)
        assert batch.metrics["accuracy"] > 0.95
    verdicts = {one["b"]: one["verdict"] for one in worker.get(f"/v1/{worker.task}/experiments")["experiments"]}
    assert verdicts["batch"] == "b_better"
    digest = client_digest(worker)
    worker.stop("SIGKILL")
    worker.start().wait_ready()
    harness.wait_for(lambda: client_digest(worker) == digest, 30, "the same state after a kill")


def test_an_arm_of_a_version_that_is_not_there_is_told_with_what_to_do(worker):
    def shard():
        return worker.get(f"/v1/{worker.task}")["shards"][0]

    end, settings = shard()["end"], worker.config.read_text()
    for version, why in (("v9-0-7", "no shard keeps a version v9-0-7"), ("best", "no shard has a version best")):
        worker.config.write_text(settings + f'arms.then = {{ version = "{version}" }}\n')
        for more in ([], ["--dry-run"]):
            done = worker.run("apply", worker.task, *more)
            said = " ".join(done.stderr.split())
            assert (done.returncode, f"the arm 'then' would never be there, and nothing was sent: {why}" in said) == (
                1,
                True,
            )
            assert f"headrace versions {worker.task} shows. best and last_good need one with an error." in said
    assert shard()["end"] == end
    arms = shard()["definition"]["task"]["arms"] | {"then": {"version": "v9-0-7"}}
    record = {"control": "define", "task": shard()["definition"]["task"] | {"arms": arms}}
    assert worker.post(f"/v1/{worker.task}/control", record)[0] == 200
    sentence = (
        "the arm 'then' is not there: the shard had no version v9-0-7 when it came to the definition. Name a version"
    )
    assert shard()["absent"]["then"].startswith(sentence)
    for words in (["status", worker.task], ["doctor"]):
        assert "the arm 'then' is not there" in " ".join(worker.run(*words).stdout.split()), words
    worker.config.write_text(settings)
    worker.stop()
    worker.start().wait_ready()
    assert sentence in (worker.folder / "worker.log").read_text()
    with Client(worker.address) as client:
        client.samples(worker.task, list(rows(50, 4)))
        harness.wait_for(lambda: client.status(worker.task).shards[0].updates == 50, 30, "all learned")
    command(worker, "checkpoint")
    worker.config.write_text(settings + 'arms.then = { version = "best" }\n')
    assert "changed arms" in command(worker, "apply")
    assert "absent" not in shard()
    assert shard()["arms"]["then"]["role"] == "frozen"


def client_digest(worker):
    shards = worker.get(f"/v1/{worker.task}")["shards"]
    return shards[0]["digest"] if shards else None

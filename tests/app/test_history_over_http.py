"""The history of a task over HTTP and from the command line: the same from every worker, and after a kill."""

import asyncio
import json
import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import harness
import httpx
import msgspec
import pytest
from called import command

from headrace import Client
from headrace.app.answers import HistoryPoint
from headrace.learning.effects import Measured
from headrace.learning.task import ArmSettings, Task
from headrace.tables.history import is_telling

KEYS = {0: "k1", 1: "k0"}

SETTINGS = {"kind": "binary", "partitions": 2, "detectors": [{"use": "evidence"}]}
TASK = """\
[tasks.{name}]
kind = "binary"
partitions = 2
detectors = [{{ use = "evidence" }}]
arms.tree.model = "hoeffding_tree"
"""


@pytest.fixture(scope="module")
def workers(broker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("history")
    name = f"past-{uuid.uuid4().hex[:8]}"
    toml = TASK.format(name=name)
    started = [harness.Worker(folder / one, broker, toml, instance=one) for one in ("a", "b")]
    with harness.sharing(started, name, owned):
        learn(started[0], 700)
        settle(started)
        yield started


def owned(worker):
    shards = (worker.get(f"/v1/{worker.task}") or {"shards": []})["shards"]
    return [shard["partition"] for shard in shards if shard["state"] == "live"]


def learn(worker, count, seed=1):
    dice = random.Random(seed)
    with Client(worker.address) as client:
        for _ in range(count // 50):
            xs = [dice.gauss(0, 1) for _ in range(50)]
            samples = [{"features": {"x": x}, "label": x > 0, "key": f"k{dice.randrange(40)}"} for x in xs]
            client.samples(worker.task, samples)


@dataclass
class Folded:
    """What uninterrupted folds of a task's log have measured, as the route gives it."""

    points: list[HistoryPoint]
    updates: int


def fold(worker):
    arms = {"tree": ArmSettings(model="hoeffding_tree")}
    task, points, updates = Task(name=worker.task, **SETTINGS, arms=arms), [], 0
    broker = worker.config.read_text().split("kafka://")[1].split('"')[0]
    for partition in range(2):
        learner, effects = harness.fold(task, partition, asyncio.run(harness.read_all(broker, task.events, partition)))
        updates += learner.state.updates
        measured = [effect for effect in effects if isinstance(effect, Measured) and is_telling(effect)]
        points += {(one.position, one.updates): given(one) for one in measured}.values()
    return Folded(points, updates)


def given(point):
    return msgspec.convert(msgspec.to_builtins(point), HistoryPoint)


def settle(workers):
    """Wait until every worker gives what the folds of the log have measured; return it."""
    expected = fold(workers[0])
    for worker in workers:
        with Client(worker.address) as client:
            harness.wait_for(
                lambda: client.metrics(worker.task) == expected.points,  # noqa: B023
                30,
                lambda: f"{len(client.metrics(worker.task))} of {len(expected.points)} points",  # noqa: B023
            )
    return expected


def test_every_worker_gives_the_points_that_an_uninterrupted_fold_has_measured(workers):
    expected = settle(workers)
    assert expected.updates == 700
    assert {point.partition for point in expected.points} == {0, 1}
    assert len(expected.points) >= 4
    champion = expected.points[-1].arms["champion"]
    assert champion.metrics.keys() == champion.window.keys() >= {"accuracy", "log_loss", "roc_auc"}
    assert {one.detector for one in expected.points[-1].evidence} >= {"evidence", "below_baseline, no_change"}
    assert [(one.a, one.b) for one in expected.points[-1].experiments] == [("champion", "tree")]


def test_since_arm_and_metric_choose(workers):
    whole = fold(workers[0]).points
    with Client(workers[1].address) as client:
        name = workers[1].task
        times = sorted(point.time for point in whole)
        assert client.metrics(name, since=times[2]) == [point for point in whole if point.time >= times[2]]
        assert client.metrics(name, since=times[-1] + 1) == []
        alone = [msgspec.structs.replace(point, arms={"champion": point.arms["champion"]}) for point in whole]
        assert client.metrics(name, arm="champion") == alone
        assert client.metrics(name, arm="champion", since=times[-1] + 1) == []
        chosen = client.metrics(name, metric="accuracy")
    assert [point.position for point in chosen] == [point.position for point in whole]
    for one, point in zip(chosen, whole, strict=True):
        arm = point.arms["champion"]
        assert one.arms["champion"].metrics == {"accuracy": arm.metrics["accuracy"]}
        assert one.arms["champion"].window == {"accuracy": arm.window["accuracy"]}
        assert one.arms["champion"].scored == arm.scored


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("since=yesterday", "since"),
        ("since=nan", "since"),
        ("since=inf", "since"),
        ("since=", "since"),
        ("metric=mae", "metric"),
        ("metric=", "metric"),
        ("metric=%00&since=1", "metric"),
        ("arm=nobody", "unknown_arm"),
        ("arm=", "unknown_arm"),
        ("arm=nobody&since=9999999999", "unknown_arm"),
    ],
)
def test_what_cannot_be_chosen_is_a_problem_with_a_remedy(workers, query, code):
    answer = httpx.get(f"{workers[0].address}/v1/{workers[0].task}/metrics?{query}")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (404 if code == "unknown_arm" else 422, code)
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert problem["remedy"]


def test_a_task_that_is_not_there_has_no_history(workers):
    answer = httpx.get(f"{workers[0].address}/v1/nothing/metrics")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_task")


def test_the_command_draws_a_line_for_each_shard_and_prints_json(workers):
    drawn = command(workers[0], "metrics")
    assert drawn.count("champion") == 2
    assert "accuracy" in drawn
    points = json.loads(command(workers[0], "metrics", "--metric", "roc_auc", "--arm", "champion", "--json"))["points"]
    assert {*points[0]["arms"]["champion"]["metrics"]} == {"roc_auc"}
    assert json.loads(command(workers[0], "metrics", "--since", "2999-01-01T00:00:00+00:00", "--json"))["points"] == []
    last = datetime.fromtimestamp(max(point["time"] for point in points), UTC)
    said = command(workers[0], "metrics", "--since", "2999-01-01", "--arm", "champion")
    assert said == (
        f"There is no point of the arm champion since 2999-01-01. The last one is of {last:%Y-%m-%d %H:%M:%S} UTC.\n"
    )
    refused = workers[0].run("metrics", workers[0].task, "--arm", "nobody")
    assert refused.returncode == 1
    wanted = "the task has no arm 'nobody'. Use one of champion, majority, no_change, tree."
    assert wanted in " ".join(refused.stderr.split())


def test_a_worker_that_was_killed_gives_the_same_history_and_goes_on(workers):
    """This comes last: it kills the workers."""
    before = fold(workers[0]).points
    for worker in workers:
        worker.stop("SIGKILL")
    workers[0].start().wait_ready()
    with Client(workers[0].address) as client:
        assert client.metrics(workers[0].task) == before
    workers[1].start().wait_ready()
    learn(workers[1], 300, seed=2)
    after = settle(workers)
    assert after.updates == 1_000
    assert after.points[: len(before)] != after.points  # it went on

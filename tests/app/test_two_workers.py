"""Two workers share the shards; the one that does not own a shard says who does, and one that has served it goes on answering."""

import uuid

import harness
import pytest

from tables.producer import partition_of

KEYS = {partition_of(f"k{number}", 2): f"k{number}" for number in range(20)}


@pytest.fixture(scope="module")
def workers(broker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    toml = f'[tasks.two-{uuid.uuid4().hex[:8]}]\nkind = "binary"\npartitions = 2\n'
    started = [harness.Worker(folder / name, broker, toml, instance=name).start() for name in ("a", "b")]
    try:
        for worker in started:
            worker.wait_ready()
        harness.wait_for(lambda: all(len(owned(worker)) == 1 for worker in started), 60, "a shard each")
        yield started
    finally:
        for worker in started:
            worker.stop("SIGKILL")


def task_of(worker):
    return worker.config.read_text().split("[tasks.")[1].split("]")[0]


def owned(worker):
    answer = worker.get(f"/v1/{task_of(worker)}") or {"shards": []}
    return [shard["partition"] for shard in answer["shards"] if shard["state"] == "live"]


def test_a_worker_that_does_not_own_a_shard_names_the_owner(workers):
    for worker, other in (workers, workers[::-1]):
        (mine,) = owned(worker)
        path, question = f"/v1/{task_of(worker)}/predict", {"features": {"x": 1.0}}
        assert worker.post(path, question | {"key": KEYS[mine]})[0] == 200
        theirs = question | {"key": KEYS[1 - mine]}
        if any(shard["partition"] == 1 - mine for shard in worker.get(f"/v1/{task_of(worker)}")["shards"]):
            assert worker.post(path, theirs)[0] == 200  # it has owned that one before, and its last model answers
            continue
        status, problem = worker.post(path, theirs)
        assert status == 421, problem
        assert other.address in problem["remedy"]


def test_when_one_is_gone_the_other_takes_its_shard(workers):
    workers[0].stop("SIGTERM")
    harness.wait_for(lambda: sorted(owned(workers[1])) == [0, 1], 60, "both shards on the worker that is left")
    path, question = f"/v1/{task_of(workers[1])}/predict", {"features": {"x": 1.0}}
    for key in KEYS.values():
        status, answer = workers[1].post(path, question | {"key": key})
        assert status == 200
        assert answer["staleness_s"] < 5

"""Changes of a sender's schema in the middle of a stream: features that come, go, are renamed or change their type are told."""

import asyncio
import json
import random
import uuid

import harness
import pytest
from scrape import Scrape

from headrace.agents.feature_changes import AGAIN, ENOUGH, FEATURES_MAX, RECENT, FeatureChanges

OLD = {"seconds": 3.0, "price": 1, "country": "PT"}


def changed(*runs):
    """What is found after runs of (samples, how many)."""
    changes = FeatureChanges()
    for at, (sample, count) in enumerate(runs):
        changes.look([sample] * count, clock=1_767_225_600_000 + 60_000 * at)
    return [(one.feature, one.kind) for one in changes.find()]


def test_a_steady_schema_gives_nothing():
    assert changed((OLD, 1_000)) == []
    assert changed(({}, 1_000)) == []


@pytest.mark.parametrize(
    ("new", "found"),
    [
        ({"secs": 3.0, "price": 1, "country": "PT"}, [("seconds", "gone"), ("secs", "new")]),
        ({"price": 1, "country": "PT"}, [("seconds", "gone")]),
        (OLD | {"pages": 1}, [("pages", "new")]),
        (OLD | {"price": "1"}, [("price", "type")]),
        (OLD | {"price": 1.5}, []),
        (OLD | {"price": True}, [("price", "type")]),
    ],
)
def test_what_has_changed_is_found_once_it_has_lasted(new, found):
    assert changed((OLD, ENOUGH), (new, AGAIN)) == found
    assert changed((OLD, ENOUGH), (new, AGAIN - 1)) == []
    assert changed((OLD, ENOUGH - 1), (new, AGAIN)) == [], "of what was hardly seen nothing is said"


def test_a_change_that_is_taken_back_is_told_no_more():
    assert changed((OLD, ENOUGH), ({}, AGAIN), (OLD, 1)) == []
    assert changed((OLD, ENOUGH), (OLD | {"price": "1"}, AGAIN), (OLD, AGAIN)) == []


def test_an_old_change_is_no_news():
    assert changed((OLD, ENOUGH), (OLD | {"price": "1", "pages": 2}, RECENT + 1)) == []
    assert changed((OLD, ENOUGH), ({}, RECENT)) == []


def test_features_that_are_rare_by_nature_give_nothing():
    chance, changes = random.Random(7), FeatureChanges()
    for _ in range(5_000):
        words = chance.sample(range(300), 10)
        changes.look([{f"word{word}": 1 for word in words} | {"often": 1} if chance.random() < 0.7 else {}], 0)
    assert list(changes.find()) == []


def test_no_more_features_are_followed_than_the_most():
    changes = FeatureChanges()
    for number in range(3 * FEATURES_MAX):
        changes.look([{f"x{number}": 1.0}], 0)
    assert len(changes._seen) == FEATURES_MAX


def test_a_worker_tells_of_a_renamed_feature_and_a_changed_type(broker, tmp_path):
    task = f"schema-{uuid.uuid4().hex[:8]}"
    worker = harness.Worker(tmp_path, broker, f'[tasks.{task}]\nkind = "binary"\n').start()

    def send(features, count=3 * ENOUGH):
        row = json.dumps({"features": features, "label": True}).encode()
        asyncio.run(harness.append(broker, f"{task}.events", [(0, row)] * count))

    def folded(count):
        return lambda: worker.get(f"/v1/{task}")["shards"][0]["updates"] == count

    try:
        worker.wait_ready()
        for _ in range(4):  # a worker looks at the last samples of each fetch
            send({"seconds": 3.0, "price": 1.0})
        harness.wait_for(folded(12 * ENOUGH), 30, "all are learned")
        assert "changes" not in worker.get(f"/v1/{task}")["shards"][0]
        send({"secs": 3.0, "price": "1.0"})
        harness.wait_for(lambda: "changes" in worker.get(f"/v1/{task}")["shards"][0], 30, "changes are told")
        changes = worker.get(f"/v1/{task}")["shards"][0]["changes"]
        assert [(one["feature"], one["kind"]) for one in changes] == [
            ("seconds", "gone"),
            ("price", "type"),
            ("secs", "new"),
        ]
        counts = {
            kind: Scrape(worker).one("headrace_changed_features", task=task, partition="0", change=kind)
            for kind in ("gone", "new", "type")
        }
        assert counts == {"gone": 1, "new": 1, "type": 1}
        said, checked = (" ".join(worker.run(*words).stdout.split()) for words in (("status", task), ("doctor",)))
        assert "'secs' is new since" in said
        assert "when 'seconds' ceased to come" in said
        assert "'price' is a string since" in checked
        assert "correct the sender, or a source's mapping" in checked
    finally:
        worker.stop("SIGKILL")

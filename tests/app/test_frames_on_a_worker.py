"""A frame that is folded locally gives the model of a worker that was sent the same frame, bit for bit."""

import asyncio
import uuid

import harness
import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pytest
from blocking import Blocking

from headrace import Client
from headrace.learning.task import Feature, Task
from headrace.testing import MemoryLog

RUN = uuid.uuid4().hex[:8]
NAMES = {Client: f"frames-{RUN}", Blocking: f"frames-async-{RUN}"}
MAKE = {Client: pd.DataFrame, Blocking: pl.DataFrame}
TOML = "".join(
    f"""
[tasks.{name}]
kind = "binary"
[tasks.{name}.features]
pages = {{ type = "int" }}
seconds = {{ type = "float", optional = true }}
country = {{ type = "string" }}
[tasks.{name}.columns]
label = "bought"
id = "visit"
positive = "yes"
"""
    for name in NAMES.values()
)


def visits(seed, count=1_500):
    random = np.random.default_rng(seed)
    pages = random.integers(1, 20, count)
    return {
        "visit": [f"v{seed}-{number}" for number in range(count)],
        "pages": pages,
        "seconds": [None if share < 0.1 else share * 300 for share in random.random(count)],
        "country": random.choice(["PT", "DE", "JP"], count),
        "bought": ["yes" if many > 10 else "no" for many in pages + random.normal(0, 4, count)],
    }


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    started = harness.Worker(tmp_path_factory.mktemp("frames"), broker, TOML).start()
    try:
        yield started.wait_ready()
    finally:
        started.stop("SIGKILL")


def questions(columns):
    """The features of each row, written out by hand."""
    for pages, seconds, country in zip(columns["pages"], columns["seconds"], columns["country"], strict=True):
        known = {} if seconds is None else {"seconds": float(seconds)}
        yield {"pages": int(pages), **known, "country": str(country)}


@pytest.mark.parametrize("kind", [Client, Blocking], ids=["pandas", "polars, async"])
def test_a_local_fold_of_a_frame_is_that_of_the_worker(worker, broker, kind):
    name, frame, asked = NAMES[kind], MAKE[kind](visits(1)), MAKE[kind](visits(2, 1_200))
    with kind(worker.address) as client:
        sent = client.send(name, frame)
        assert (sent.appended, sent.refused, sent.left_out) == (1_500, 0, [])
        position = sent.positions[0]
        answers = client.predict(name, asked, min_position=position, wait_s=10)
        task = client.task(name)
        (shard,) = client.status(name).shards
    assert isinstance(task, Task)

    log = MemoryLog(task)
    log.send(frame)
    folded = log.fold()
    assert folded.models == {arm: described.digest for arm, described in shard.arms.items()}
    assert len(answers) == len(asked)
    served = [folded.learner.champion.predict(features) for features in questions(visits(2, 1_200))]
    assert answers["prediction"].to_list() == [one.value for one in served]
    assert answers["probability_true"].to_list() == [one.probabilities[True] for one in served]

    # The digest of the state has offsets, timestamps and the definition in it: of the messages as they stand in the log.
    there = asyncio.run(harness.read_all(broker, f"{name}.events"))
    assert b'"control":"define"' in there[0].value
    assert [message.value for message in there[1:]] == [message.value for message in log.messages[0]]
    assert folded.digest != shard.digest
    same = MemoryLog(task)
    same.append(there[0].value, timestamp=there[0].timestamp)
    same.send(frame)
    for number, message in enumerate(there):
        same.messages[0][number] = msgspec.structs.replace(same.messages[0][number], timestamp=message.timestamp)
    assert position == len(there)
    assert same.fold().digest == shard.digest


@pytest.mark.parametrize("kind", [Client, Blocking], ids=["sync", "async"])
def test_a_row_that_only_the_worker_refuses_is_named_with_its_reason(worker, kind):
    """The caller has given a task that declares less than that of the worker."""
    name = NAMES[kind]
    declared = {"pages": Feature(), "page": Feature(optional=True), "country": Feature(type="string")}
    task = Task(name=name, kind="binary", features=declared)
    good = {"pages": 3, "country": "PT", "label": True}
    rows = [good, good | {"pages": 3.5}, good, good | {"page": 3}]
    reasons = [
        "feature 'pages' is 3.5, not a whole number. Send a whole number.",
        "feature 'page' is not declared. Did you mean 'pages'? Leave it out, or declare it in headrace.toml.",
    ]
    with kind(worker.address) as client:
        sent = client.send(task, rows)
        assert (sent.appended, [one.row for one in sent.reasons]) == (2, [1, 3])
        answers = client.predict(task, rows)
        assert [one.reason for one in sent.reasons] == reasons
        assert [row["error"] for row in answers] == [None, reasons[0], None, reasons[1]]
        assert [row["prediction"] is None for row in answers] == [False, True, False, True]


def test_a_frame_in_another_order_gives_another_model():
    """Were the digests of all models the same, the test above would hold."""
    task = Task(name="ads", kind="binary")
    frame = pl.DataFrame(visits(1)).drop("visit")
    log, other = MemoryLog(task), MemoryLog(task)
    log.send(frame, label="bought")
    other.send(frame[::-1], label="bought")
    assert log.fold().models["champion"] != other.fold().models["champion"]

"""`headrace tail` on a real broker: the last messages of each topic in their order, and those that come."""

import asyncio
import json
import signal
import subprocess
import uuid
from pathlib import Path

import harness
import pytest

from headrace.app.cli.tail import describe

NAME = f"tail{uuid.uuid4().hex[:8]}"

TOML = f"""
[tasks.{NAME}]
kind = "binary"
partitions = 2
predictions = true
"""

SAMPLES = [{"features": {"x": n, "c": "PT"}, "label": bool(n % 2)} for n in range(20)]


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    started = harness.Worker(tmp_path_factory.mktemp("tail"), broker, TOML).start()
    try:
        started.wait_ready()
        for number, sample in enumerate(SAMPLES):
            value = json.dumps(sample).encode()
            asyncio.run(harness.append(broker, f"{NAME}.events", [(number % 2, value)]))
        asyncio.run(harness.append(broker, f"{NAME}.events", [(0, b'{"features": {"x": 1}, "label": 3}')]))
        harness.wait_for(
            lambda: sum(shard["quarantined"] for shard in started.get(f"/v1/{NAME}")["shards"]) == 1,
            20,
            "all is folded",
        )
        yield started
    finally:
        started.stop("SIGKILL")


def lines(worker, *words):
    done = worker.run("tail", NAME, *words, "--no-follow")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_last_messages_of_all_partitions_come_in_the_order_of_their_times(worker):
    shown = lines(worker, "-n", "5")
    assert [line.partition(" sample ")[2] for line in shown] == [
        f"x={n} c=PT -> {str(n % 2 == 1).lower()}" for n in (16, 17, 18, 19)
    ] + ["x=1 -> 3"]
    assert lines(worker, "-n", "0") == []
    assert len(lines(worker, "-n", "1000")) == 23, "with the definition of each partition"


def test_each_topic_is_told_in_words_and_in_json(worker):
    (refused,) = lines(worker, "quarantine")
    assert "label: label 3 is not one of true, false. Send true or false. " in refused
    (whole,) = map(json.loads, lines(worker, "quarantine", "--json"))
    assert (whole["value"], whole["headers"]["code"], whole["key"]) == (
        {"features": {"x": 1}, "label": 3},
        "label",
        None,
    )
    assert any("predicted champion: " in line for line in lines(worker, "predictions"))
    assert all(" acted define by headrace: " in line for line in lines(worker, "signals"))


def test_what_comes_is_shown_until_ctrl_c(worker, broker):
    arguments = [*worker.command, "tail", NAME, "records", "--config", str(worker.config), "-n", "0", "--json"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background jobs ignore it
    process = subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        env=worker.environment(),
        text=True,
        cwd=Path(worker.folder),
    )
    signal.signal(signal.SIGINT, before)
    try:
        number = 100
        while not harness.readable(process.stdout, 1.0):  # it may not listen yet
            number += 1
            value = json.dumps({"features": {"x": number}, "label": True}).encode()
            asyncio.run(harness.append(broker, f"{NAME}.events", [(1, value)]))
            assert number < 140
        first = json.loads(process.stdout.readline())
        assert (first["partition"], first["value"]["label"]) == (1, True)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def test_a_topic_that_is_not_there_is_named(worker):
    worker.config.write_text(worker.config.read_text() + '\n[tasks.unmade]\nkind = "binary"\n')
    done = worker.run("tail", "unmade", "--no-follow")
    assert done.returncode == 1
    assert "there is no topic unmade.events yet. A starting worker makes it" in done.stderr


@pytest.mark.parametrize(
    "value", [b"", b"[]", b"1", b"\xff", b'{"effect": []}', b'{"effect": "saved", "version": []}', b'{"features": 1}']
)
def test_what_nobody_of_ours_wrote_is_shown(value):
    assert len(list(describe(value, {}))) == 1

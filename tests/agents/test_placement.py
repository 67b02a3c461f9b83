"""Placement: keys in a shard where Kafka's default partitioner would not put them are counted, and nothing else changes."""

import asyncio
import json
import uuid
import zlib
from types import SimpleNamespace

import harness
from scrape import Scrape

from headrace.agents.placement import EVERY, KEY_MAX, Placement
from headrace.app.cli.doctor import find_misplaced
from headrace.learning.snapshot import digest
from headrace.learning.task import Task
from headrace.tables.kafka.partitioner import partition_of
from headrace.tables.kafka.producer import producing

KEYS = [b"user-%d" % number for number in range(400)]
SHARDS = 4


def keyed(keys):
    return [SimpleNamespace(key=key) for key in keys]


def by_crc32(key):
    return zlib.crc32(key) % SHARDS


def test_keys_that_lie_where_they_belong_are_not_counted_as_misplaced():
    placement = Placement(1, SHARDS, 0.0)
    for key in KEYS:
        if partition_of(key, SHARDS) == 1:
            placement.look(keyed([key]))
    assert placement.looked_at > 50
    assert placement.misplaced == 0


def test_keys_of_a_producer_with_crc32_are_counted_as_such():
    placement = Placement(1, SHARDS, 0.0)
    for key in KEYS:
        if by_crc32(key) == 1:
            placement.look(keyed([key]))
    assert placement.misplaced == placement.by_crc32 > 50


def test_one_key_in_fifty_of_a_run_is_looked_at_and_none_that_is_missing_or_long():
    placement = Placement(1, SHARDS, 0.0)
    placement.look(keyed(KEYS))
    assert placement.looked_at == len(KEYS) // EVERY
    placement.look(keyed([None]))
    placement.look(keyed([b""]))
    placement.look(keyed([b"x" * (KEY_MAX + 1)]))
    placement.look([])
    assert placement.looked_at == len(KEYS) // EVERY


def test_the_doctor_names_librdkafka_only_where_its_partitioner_fits():
    def findings(**counts):
        placement = {"since": 0.0, "looked_at": 50, "misplaced": 0, "by_crc32": 0} | counts
        return list(find_misplaced("ads", [{"partition": 0}, {"partition": 1, "placement": placement}]))

    assert findings() == []
    (sure,), (unsure,) = findings(misplaced=30, by_crc32=30), findings(misplaced=30, by_crc32=8)
    assert "30 of 50 keys of 'ads' lie in another shard" in sure.what
    assert "librdkafka's default partitioner (crc32) puts them" in sure.what
    assert "librdkafka's default partitioner" not in unsure.what
    for found in (sure, unsure):
        assert found.status == "note"
        assert "partitioner=murmur2_random" in found.remedy


def test_a_worker_counts_them_and_folds_them_as_ever(broker, tmp_path):
    task = Task(name=f"keys-{uuid.uuid4().hex[:8]}", kind="binary", partitions=SHARDS)
    worker = harness.Worker(tmp_path, broker, f'[tasks.{task.name}]\nkind = "binary"\npartitions = {SHARDS}\n').start()
    row = json.dumps({"features": {"x": 1.0}, "label": True}).encode()

    async def send(place):
        async with producing(broker) as producer:
            for key in KEYS[:40]:
                await producer.send_and_wait(task.events, row, key=key, partition=place(key))

    def placed():
        shards = worker.get(f"/v1/{task.name}")["shards"]
        assert sum(shard["updates"] for shard in shards) <= 80
        return [sum(shard["placement"][name] for shard in shards) for name in ("looked_at", "misplaced", "by_crc32")]

    def learned(count):
        return lambda: sum(shard["updates"] for shard in worker.get(f"/v1/{task.name}")["shards"]) == count

    try:
        worker.wait_ready()
        asyncio.run(send(lambda key: partition_of(key, SHARDS)))
        harness.wait_for(learned(40), 30, "all are learned")
        assert placed()[0] > 0
        assert placed()[1] == 0
        assert "belong to another shard" not in worker.run("status", task.name).stdout
        asyncio.run(send(by_crc32))
        harness.wait_for(learned(80), 30, "all are learned where they lie")
        assert placed()[1] == placed()[2] > 0
        scrape = Scrape(worker)
        counted = [sum(scrape.of(f"headrace_keys_{name}_total", task=task.name)) for name in ("looked_at", "misplaced")]
        assert counted == placed()[:2]
        said = " ".join(worker.run("status", task.name).stdout.split())
        assert "belong to another shard. See headrace doctor." in said
        assert "partitioner=murmur2_random" in " ".join(worker.run("doctor").stdout.split())
        for shard in worker.get(f"/v1/{task.name}")["shards"]:
            messages = asyncio.run(harness.read_all(broker, task.events, shard["partition"]))
            learner, _ = harness.fold(task, shard["partition"], messages)
            assert shard["digest"] == digest(learner.state)
    finally:
        worker.stop("SIGKILL")

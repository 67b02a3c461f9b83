"""A team's own topic through workers that are killed and paused: each of its records is folded once, in the order of the topic."""

import asyncio
import json
import threading
import time
import uuid

import chaos
import harness
import pytest

from headrace.learning.task import Task
from headrace.learning.task.source import Source
from headrace.tables.kafka.partitioner import partition_of
from headrace.tables.kafka.topics import Topic, prepare

PARTITIONS, SHARDS, COUNT = 3, 2, 9_000


def rows(count):
    """Clicks of fifty users over the partitions in turn; now and then one that is no click, or no JSON, or has no sound label."""
    for number in range(count):
        click = {"n": number, "user": f"user-{number % 50}", "kind": "click", "bid": {"price": number % 17 / 4}}
        click["clicked"] = number % 3 == 0
        if number % 100 == 97:
            click["kind"] = "heartbeat"
        if number % 100 == 98:
            click["clicked"] = "maybe"
        yield number % PARTITIONS, b'{"n": ' if number % 100 == 99 else json.dumps(click).encode()


def feed(broker, topic, rate):
    asyncio.run(harness.append(broker, topic, rows(COUNT), rate))


def toml_of(task, topic):
    return (
        f'[tasks.{task}]\nkind = "binary"\npartitions = {SHARDS}\n'
        f'[[tasks.{task}.sources]]\ntopic = "{topic}"\nwhen = "kind == \'click\'"\nkey = "user"\nlabel = "clicked"\n'
        'features = { price = "bid.price", weekly = "bid.weekly" }\n'
    )


def kept(messages):
    """The records of a shard that the fold does not skip, by the rule alone: (topic, partition, offset), and the shard's message."""
    furthest, found = {}, []
    for message in messages:
        record = json.loads(message.value)
        if "control" in record:
            continue
        topic, partition, offset = record["source"].split("/")
        if int(offset) > furthest.get((topic, partition), -1):
            furthest[topic, partition] = int(offset)
            found.append(((topic, int(partition), int(offset)), message))
    return found


@pytest.fixture
def ingesting(broker, tmp_path):
    run = uuid.uuid4().hex[:8]
    name, topic = f"ingest-{run}", f"clicks-{run}"
    asyncio.run(prepare(broker, [Topic(topic, PARTITIONS, {})]))
    paced = "snapshot_records = 300\nsnapshot_seconds = 0.5"
    workers = [
        harness.Worker(tmp_path / f"w{number}", broker, toml_of(name, topic), paced, f"w{number}").start()
        for number in range(2)
    ]
    source = Source(topic=topic, label="clicked", features="bid")
    try:
        yield broker, Task(name=name, kind="binary", partitions=SHARDS, sources=[source]), topic, workers
    finally:
        for worker in workers:
            worker.signal("SIGCONT")
            worker.stop("SIGKILL")


def partitions_told(workers, task):
    """For each source partition what the worker that it is assigned to says of it."""
    return {
        told["partition"]: told
        for worker in workers
        for told in (worker.get(f"/v1/{task}", timeout=5) or {"sources": {"partitions": []}})["sources"]["partitions"]
    }


def test_every_record_of_a_source_is_folded_once_and_in_order_after_kills_and_a_pause(ingesting):
    broker, task, topic, workers = ingesting
    feeder = threading.Thread(target=feed, args=(broker, topic, 400.0), daemon=True)
    for worker in workers:
        worker.wait_ready()
    feeder.start()
    for number, name, seconds in [
        (0, "SIGKILL", 2),
        (1, "SIGKILL", 2),
        (1, "SIGSTOP", chaos.PAUSE_SECONDS - 3),
        (0, "SIGKILL", 2),
        (1, "SIGTERM", 1),
        (0, "SIGKILL", 0),
    ]:
        time.sleep(2)
        if name == "SIGSTOP":
            workers[number].signal(name)
            time.sleep(seconds)
            workers[number].signal("SIGCONT")
        else:
            workers[number].stop(name)
            workers[number].start()
            time.sleep(seconds)
    feeder.join()

    def is_settled():
        told = partitions_told(workers, task.name)
        return {at: part["position"] for at, part in told.items()} == dict.fromkeys(
            range(PARTITIONS), COUNT // PARTITIONS
        )

    harness.wait_for(is_settled, 60, "all is mapped")
    logs = [asyncio.run(harness.read_all(broker, task.events, shard)) for shard in range(SHARDS)]
    assert all(b'"control":"define"' in log[0].value for log in logs)

    sent = [[] for _ in range(PARTITIONS)]
    for partition, value in rows(COUNT):
        sent[partition].append(value)
    good, bad = set(), set()
    for partition, values in enumerate(sent):
        for offset, value in enumerate(values):
            click = json.loads(value) if value.endswith(b"}") else {"kind": "click"}
            if click["kind"] == "click":
                (good if type(click.get("clicked")) is bool else bad).add((topic, partition, offset))
    found = [kept(messages) for messages in logs]
    places = [place for shard in found for place, _ in shard]
    assert len(places) == len(set(places))
    assert set(places) == good
    for shard, messages in enumerate(found):
        for (_, partition, offset), message in messages:
            click = json.loads(sent[partition][offset])
            record = json.loads(message.value)
            assert (record["label"], record["features"]) == (click["clicked"], {"price": click["bid"]["price"]})
            assert message.key.decode() == click["user"]
            assert partition_of(click["user"], SHARDS) == shard

    told = {dict(message.headers)["id"].decode() for shard in range(SHARDS)
            for message in asyncio.run(harness.read_all(broker, f"{task.name}.quarantine", shard))}  # fmt: skip
    assert told == {f"{task.name}/{topic}/{partition}/{offset}/0" for topic, partition, offset in bad}

    ends = {shard: len(messages) for shard, messages in enumerate(logs)}

    def is_folded():
        return {at: shard["position"] for at, shard in chaos.furthest(workers, task.name).items()} == ends

    harness.wait_for(is_folded, 60, "all is folded")
    for shard, told in chaos.furthest(workers, task.name).items():
        learner, _ = harness.fold(task, shard, logs[shard])
        assert told["digest"] == harness.digest_of(learner)
        assert learner.state.updates == len(found[shard])
        assert learner.state.skipped == len(logs[shard]) - 1 - len(found[shard])
    gaps = sum(worker.log().count("reading from the source") for worker in workers)
    print(f"{sum(ends.values()) - len(places)} records came twice into the log; {gaps} gaps read from the source")

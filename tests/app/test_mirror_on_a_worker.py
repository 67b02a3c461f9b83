"""A worker whose mirror is a bucket that is missing, and then silent: it folds on, says so, and copies everything in the end."""

import asyncio
import json
import uuid

from harness import Worker, append, make_topics, wait_for

from headrace.learning.snapshot.package import unpack
from headrace.learning.task import Task
from headrace.tables.mirror import BucketMirror

ROWS = 200


def rows(first):
    for at in range(first, first + ROWS):
        record = {"features": {"x": at % 7, "y": at % 3}, "label": at % 7 > 3}
        yield 0, json.dumps(record).encode()


def test_a_bucket_that_is_missing_or_silent_holds_up_nothing(broker, s3, bucket, tmp_path):
    task, missing = f"mirrored-{uuid.uuid4().hex[:8]}", f"{bucket}-later"
    make_topics(broker, Task(name=task, kind="binary"))
    tasks = f'[tasks.{task}]\nkind = "binary"\nversions = {{ every = 100, mirror = "s3://{missing}/models" }}\n'
    worker = Worker(tmp_path, broker, tasks, "snapshot_seconds = 0.2").start()

    def shard():
        return worker.get(f"/v1/{task}")["shards"][0]

    def fold(first):
        assert asyncio.run(append(broker, f"{task}.events", rows(first))) == ROWS
        wait_for(lambda: shard()["updates"] == first + ROWS, 30, "all are folded")

    try:
        worker.wait_ready()
        fold(0)
        wait_for(lambda: shard()["mirror"]["failures"] > 1, 30, lambda: shard()["mirror"])
        told = shard()
        assert (told["mirror"]["waiting"], told["mirror"]["copied"], told["state"]) == (2, 0, "live")
        assert "NoSuchBucket" in told["mirror"]["error"]
        assert any("mirror" in one["name"] for one in worker.get(f"/v1/{task}")["background"])
        s3.make_bucket(missing)
        wait_for(lambda: shard()["mirror"]["waiting"] == 0, 60, lambda: shard()["mirror"])
        assert (shard()["mirror"]["copied"], shard()["mirror"]["error"]) == (2, None)
        s3.signal("SIGSTOP")
        try:
            fold(ROWS)
            wait_for(lambda: shard()["mirror"]["waiting"] == 2, 30, lambda: shard()["mirror"])
            assert shard()["mirror"]["copied"] == 2
        finally:
            s3.signal("SIGCONT")
        wait_for(lambda: shard()["mirror"]["waiting"] == 0, 60, lambda: shard()["mirror"])
        versions = worker.get(f"/v1/{task}/versions")["versions"]
        assert len(versions) == 4
        mirror = BucketMirror(f"s3://{missing}/models")
        for version in versions:
            data = asyncio.run(mirror.begin(f"{task}/0/{version['id']}.model", 1 << 20))
            assert unpack(data).head.digest == version["digest"]
        assert "a version was not copied to the mirror" in worker.log()
    finally:
        worker.stop("SIGKILL")

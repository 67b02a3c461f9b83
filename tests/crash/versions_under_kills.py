"""A hundred versions and more are saved while workers are killed: those that the fold keeps are there, whole, and no half of another one."""

import asyncio
import tomllib

import availability
import harness

from headrace.app.settings import parse
from headrace.learning.snapshot import digest
from headrace.learning.snapshot.package import read_model, unpack
from headrace.tables.versions import put_together

EVERY, KEEP = 20, 5


def test_what_the_fold_keeps_is_there_whole(broker, tmp_path):
    more = f"versions = {{ every = {EVERY}, keep = {KEEP} }}\n"

    async def run():
        async with availability.under_load(broker, tmp_path, more, rate=20.0, static=True) as (workers, client):
            await availability.kill(workers, 8, ["SIGKILL", "SIGKILL", "SIGTERM"], 4, print)
        return workers, client

    workers, client = asyncio.run(run())
    assert client.failed == []
    name = workers[0].task
    toml = f'[tasks.{name}]\nkind = "binary"\npartitions = {availability.SHARDS}\n{more}'
    task = parse(tomllib.loads(toml), workers[0].config).tasks[name]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.wait_ready()
        made = sum(look_at(broker, task, partition, workers, tmp_path) for partition in range(task.partitions))
    finally:
        for worker in workers:
            worker.stop("SIGKILL")
    assert made >= 100


def look_at(broker, task, partition, workers, tmp_path):
    """Compare one shard with the uninterrupted fold; how many versions it has made."""
    messages = asyncio.run(harness.read_all(broker, task.events, partition))
    learner, _ = harness.fold(task, partition, messages)
    kept = learner.state.versions.saved
    assert len(kept) == KEEP

    def told():
        seen = []
        for worker in workers:
            listed = (worker.get(f"/v1/{task.name}/versions") or {"versions": []})["versions"]
            seen.append([one for one in listed if one["partition"] == partition])
        return seen

    def champions():
        return [shard["arms"]["champion"]["digest"] for shard in availability.seen(workers, partition)]

    def is_equal():
        return all([one["id"] for one in seen] == list(kept) for seen in told())

    harness.wait_for(is_equal, 60, lambda: f"shard {partition}: {list(kept)}, and not {told()}")
    assert {one["id"]: one["digest"] for one in told()[0]} == {one.id: one.digest for one in kept.values()}
    values = {}
    for message in asyncio.run(harness.read_all(broker, f"{task.name}.versions", partition)):
        values[message.key] = message.value
    values = {key: value for key, value in values.items() if value}
    digests = {key.split(b"/")[2].decode() for key in values if key.split(b"/")[1] == b"fold"}
    whole = {digest: put_together(values.get, digest, "fold") for digest in digests}
    assert None not in whole.values(), f"half a version is there: {[one for one in whole if whole[one] is None]}"
    assert {one.digest for one in kept.values()} <= digests
    for version in kept.values():
        file = tmp_path / f"{version.id}.model"
        done = workers[0].run("export", task.name, version.id, str(file))
        assert done.returncode == 0, done.stderr
        assert digest(read_model(unpack(file.read_bytes()), task)) == version.digest
    oldest = next(iter(kept.values()))
    done = workers[1].run(
        "import", task.name, str(tmp_path / f"{oldest.id}.model"), "--partition", str(partition), "--json"
    )
    assert done.returncode == 0, done.stderr
    harness.wait_for(lambda: champions() == [oldest.digest] * 2, 30, lambda: f"{oldest}, and not {champions()}")
    return learner.state.updates // EVERY

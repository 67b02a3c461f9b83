"""Records that no worker wrote: what someone else, or a bit that was flipped, leaves in the topics of a task."""

import asyncio
import hashlib
import json
import random
from collections.abc import Iterable

import harness
import msgspec
import zstandard
from aiokafka import AIOKafkaProducer
from judge import fold_of
from system import System

from headrace.learning.snapshot import seal
from headrace.tables.kafka.producer import producing
from headrace.tables.snapshots import Manifest

FAR = 10**9


def samples(dice: random.Random, count: int) -> list[bytes]:
    """So many samples."""
    return [
        json.dumps(
            {"features": {"0": dice.random() * 10, "1": dice.random() * 10}, "label": dice.random() < 0.5}
        ).encode()
        for _ in range(count)
    ]


def append(system: System, topic: str, partition: int, values: Iterable[bytes]) -> None:
    """Append these values."""
    asyncio.run(harness.append(system.broker, topic, [(partition, value) for value in values]))


def put(system: System, topic: str, partition: int, key: bytes, value: bytes) -> None:
    """Append one record with a key."""

    async def appended() -> None:
        async with producing(system.broker, max_request_size=1 << 22) as producer:
            await producer.send_and_wait(topic, value, key=key, partition=partition)

    asyncio.run(appended())


def transaction(system: System, partition: int, values: Iterable[bytes], *, commits: bool) -> None:
    """Append these values to the event log in one transaction."""

    async def sent() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=system.broker, transactional_id=f"faults-{commits}")
        await producer.start()
        try:
            await producer.begin_transaction()
            for value in values:
                await producer.send_and_wait(system.task.events, value, partition=partition)
            await (producer.commit_transaction() if commits else producer.abort_transaction())
        finally:
            await producer.stop()

    asyncio.run(sent())


def manifests(system: System, partition: int) -> dict[bytes, bytes]:
    """The manifests that a changelog has now, by their keys, the furthest last."""
    latest: dict[bytes, bytes] = {}
    for message in system.read(f"{system.task.name}.snapshots", partition):
        if (message.key or b"").startswith(b"manifest/"):
            latest[message.key] = message.value
    there = {key: value for key, value in latest.items() if value}
    return dict(sorted(there.items(), key=lambda item: position_of(item[1])))


def position_of(manifest: bytes) -> int:
    """The position that a manifest names; -1 if it cannot be read."""
    try:
        return msgspec.json.decode(manifest.split(b"\n", 1)[0], type=Manifest).position
    except msgspec.MsgspecError:
        return -1


def flip_newest_snapshot(system: System, dice: random.Random, partition: int) -> str:
    """Write the newest snapshot once more, with a bit of its payload flipped."""
    key, value = list(manifests(system, partition).items())[-1]
    head, last = value.split(b"\n", 1)
    flipped = bytearray(last)
    flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
    put(system, f"{system.task.name}.snapshots", partition, key, head + b"\n" + bytes(flipped))
    return f"a bit of the snapshot for {position_of(value)} of shard {partition}"


def write_garbage_snapshot(system: System, dice: random.Random, partition: int) -> str:
    """Write a record that is no snapshot."""
    key = dice.choice([b"manifest/zz/000000000001", b"manifest/\xff/1", b"\xff\xfe", b"chunk/zz/000000000001/00000"])
    value = dice.choice([b"garbage", b"{}\n", bytes(range(256)), b'{"position": -1, "chunks": 0, "sha256": ""}\n'])
    put(system, f"{system.task.name}.snapshots", partition, key, value)
    return f"{key!r}: {value[:20]!r} in {system.task.name}.snapshots/{partition}"


def write_far_snapshot(system: System, dice: random.Random, partition: int) -> str:
    """Write a snapshot that is whole, for a position far behind the end of the log."""
    end = system.ends(system.task.events)[partition]
    learner = fold_of(system, partition, system.read(system.task.events, partition), end).learner
    is_sealed_far = dice.random() < 0.5
    if is_sealed_far:
        learner.state.position = FAR
    data = zstandard.compress(seal(learner.state, system.task, partition, writer="zz"), 1)
    manifest = Manifest(FAR, 0, hashlib.sha256(data).hexdigest())
    key = b"manifest/zz/000000000001"
    put(system, f"{system.task.name}.snapshots", partition, key, msgspec.json.encode(manifest) + b"\n" + data)
    return f"a snapshot of shard {partition} for {FAR}{', also by its header' * is_sealed_far}"


def write_garbage_pending(system: System, dice: random.Random, partition: int) -> str:
    """Write a record that is no segment of entries."""
    value = dice.choice([b"garbage", zstandard.compress(b"garbage"), b"", bytes(range(256))])
    put(system, f"{system.task.name}.pending", partition, b"zz/0", value)
    return f"{value[:20]!r} in {system.task.name}.pending/{partition}"

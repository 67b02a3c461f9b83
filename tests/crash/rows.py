"""What the crash runs feed: samples, questions, and labels as they may come; every hundredth record is hostile."""

import heapq
import json
import random
import time

from river.datasets import synth


def rows(count: int, shards: int, seed: int, *, drifts: bool = False, optional: bool = False, samples: float = 0.5):
    """(partition, record) of so many rows: samples, questions, and labels as they may come; every hundredth is hostile.

    With `drifts` the world changes meanwhile, as `drifted` says; ids, order and partitions are the same. With `optional` labels are, as for
    anomalies: of the samples one in two has none, and half of these no id either. `samples` is the share of samples.
    """
    stream, dice = synth.SEA(seed=seed, noise=0.1).take(count), random.Random(seed)
    later: list[tuple[int, int, bytes | dict]] = []  # (row at which it comes, partition, record): a heap
    for number, sample in enumerate(stream):
        while later and later[0][0] <= number:
            yield heapq.heappop(later)[1:]
        shard, fate = number % shards, dice.random()
        fate = fate * 0.5 / samples if fate < samples else 0.5 + 0.5 * (fate - samples) / (1.0 - samples)
        features, label = drifted(*sample, number / count) if drifts else sample
        question = {"id": str(number), "features": {str(name): value for name, value in features.items()}}
        answer = {"id": str(number), "label": bool(label)}
        if number % 100 == 99:
            yield shard, b'{"features": {"0": NaN}, "label": true}'
        elif optional and fate < 0.25:
            yield shard, question if fate < 0.125 else {"features": question["features"]}
        elif fate < 0.5:
            yield shard, question | answer
        elif fate < 0.6:  # no label comes
            yield shard, question
        elif fate < 0.7:  # the label comes first
            yield shard, answer
            heapq.heappush(later, (number + dice.randint(1, 3_000), shard, Comparable(question)))
        else:
            yield shard, question
            for _ in range(1 if fate < 0.97 else 2):
                heapq.heappush(later, (number + int(dice.expovariate(1 / 1_000)), shard, Comparable(answer)))
    while later:
        yield heapq.heappop(later)[1:]


def drifted(features: dict, label: bool, part: float) -> tuple[dict, bool]:
    """The features and the label of a changing world, at a part of the feed: turned round, as before, poisoned, as before, nearly always true."""
    if 0.3 <= part < 0.5:
        return features, not label
    if 0.6 <= part < 0.7:
        return {name: 5.0 * value for name, value in features.items()}, not label
    if 0.8 <= part < 0.9:
        return features, True
    return features, label


def packed(found, seed: int):
    """The same records, several of a shard in a message."""
    dice = random.Random(seed)
    rows, size = {}, {}
    for shard, record in found:
        rows.setdefault(shard, []).append(record)
        if len(rows[shard]) >= size.setdefault(shard, dice.choice([1, 1, 2, 10, 60])):
            yield shard, b"\n".join(rows.pop(shard))
            del size[shard]
    for shard, left in rows.items():
        yield shard, b"\n".join(left)


class Comparable(dict):
    """A record in a heap."""

    def __lt__(self, other):
        return self["id"] < other["id"]


def timed(found, seed: int):
    """The records as bytes; each has the time at which it is sent, or one that is up to two seconds ago, now and then ten seconds ago or an hour ahead."""
    dice = random.Random(seed)
    for shard, record in found:
        if isinstance(record, bytes):
            yield shard, record
        else:
            rare = dice.choice([10, -3600]) if dice.random() < 0.02 else 0
            ago = dice.choice([0, 0, 0, dice.uniform(0, 2), dice.uniform(0, 2), rare])
            yield shard, json.dumps(record | {"time": round(time.time() - ago, 3)}).encode()

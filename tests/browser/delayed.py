"""A worker whose task learns from labels that come later, while two of its features change."""

import random
import time
from collections import deque
from contextlib import contextmanager
from types import SimpleNamespace

import harness

from headrace import Client

TASK = """\
[tasks.{name}]
kind = "binary"
model = "logistic"
detectors = [
    {{ use = "ks", watch = "features", window = 100 }},
    {{ use = "page_hinkley", watch = "score" }},
    {{ use = "adwin" }},
]
[tasks.{name}-alone]
kind = "binary"
[tasks.{name}-wide]
kind = "binary"
detectors = [{{ use = "ks", watch = "features", window = 70 }}]
"""
"""A task with questions; one without; and one that has more features than are drawn."""

DRIFTING = ("amount", "hour")
STEADY = ("age", "items", "distance")
ROUND = 60


def questions(number, dice, *, drifts):
    """The questions of a round, each with its label."""
    for at in range(ROUND):
        features = {name: dice.gauss(0, 1) for name in STEADY}
        features |= {name: dice.gauss(1.5 * drifts, 1) for name in DRIFTING}
        asked = {"id": f"{number}-{at}", "features": features, "log": True}
        yield asked, features["age"] + features["items"] > 0


def wide(seed, count=600, *, drifting=None):
    """Samples of 30 features, of which one may have drifted."""
    dice = random.Random(seed)
    for _ in range(count):
        features = {f"f{at}": dice.gauss(3 * (at == drifting), 1) for at in range(30)}
        yield {"features": features, "label": dice.random() < 0.5}


@contextmanager
def delayed(folder, broker, name, rounds=10, pause=0.1):
    """Start a worker and let its task learn: from the middle on two features drift, and labels come a round later than before."""
    worker, dice = harness.Worker(folder, broker, TASK.format(name=name)).start(), random.Random(1)
    try:
        worker.wait_ready()
        with Client(worker.address) as client:
            waiting, labels = deque(), 0
            for number in range(rounds):
                asked = list(questions(number, dice, drifts=number >= rounds // 2))
                client.batch(name, [one for one, _ in asked])
                waiting.append([{"id": one["id"], "label": label} for one, label in asked])
                time.sleep(pause)
                while len(waiting) > 1 + (number >= rounds // 2):
                    client.labels(name, waiting.popleft())
                    labels += ROUND
            client.samples(f"{name}-alone", [{"features": {"x": 1.0}, "label": True}])
            client.samples(f"{name}-wide", list(wide(2)))
            harness.wait_for(lambda: client.status(name).shards[0].updates >= labels, 30, "the labels are learned")
            yield SimpleNamespace(client=client, task=name, url=f"{worker.address}/tasks/{name}")
    finally:
        worker.stop("SIGKILL")

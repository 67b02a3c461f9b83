"""A batch model beside one that learns online: it falls behind when the world changes, and ties when it does not."""

import random

import numpy as np
import pytest
import written_log

from headrace.learning.models.onnx import enter_file
from headrace.learning.task import ArmSettings, Experiment, Feature, Guard, Task, Versions

TRAINED, FOLLOWING = 2_000, 6_000


def rows(count, seed, *, turned=False):
    """Points of two classes; the line between them is turned when the world has changed."""
    dice = random.Random(seed)
    for _ in range(count):
        a, b = dice.gauss(0, 1), dice.gauss(0, 1)
        side = a - b if turned else a + b
        yield {"a": a, "b": b}, (side > 0) != (dice.random() < 0.1)


@pytest.fixture(scope="module")
def batch():
    pytest.importorskip("onnxruntime")
    skl2onnx = pytest.importorskip("skl2onnx")
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.linear_model import LogisticRegression

    learned = list(rows(TRAINED, 1))
    model = LogisticRegression().fit(
        np.array([list(x.values()) for x, _ in learned]), np.array([label for _, label in learned])
    )
    written = skl2onnx.to_onnx(
        model, initial_types=[("row", FloatTensorType([None, 2]))], options={id(model): {"zipmap": False}}
    )
    return f"sha256:{enter_file(written.SerializeToString())}"


def compared(batch, stream):
    task = Task(
        name="shop",
        kind="binary",
        model={"use": "logistic", "learning_rate": 0.05},
        features={"a": Feature(), "b": Feature()},
        arms={"batch": ArmSettings(onnx=batch)},
        experiments=[Experiment(b="batch", margin=0.04)],
        guard=Guard(against=[], label_rate=False),
        versions=Versions(every=100_000),
        detectors=[],
    )
    log = written_log.Log(task)
    for features, label in stream:
        log.fold({"features": features, "label": label})
    windows = {name: arm.scoreboard.values()["window"]["accuracy"] for name, arm in log.state.arms.items()}
    return log.state.experiments["champion batch"], windows


def test_where_the_world_stays_the_same_it_is_a_tie(batch):
    experiment, windows = compared(batch, rows(FOLLOWING, 2))
    assert experiment.verdict == "equivalent"
    assert windows["batch"] == pytest.approx(windows["champion"], abs=0.02)


def test_where_the_world_changes_the_batch_model_falls_behind(batch):
    stream = [*rows(1_000, 3), *rows(FOLLOWING, 4, turned=True)]
    experiment, windows = compared(batch, stream)
    assert experiment.verdict == "a_better"
    assert windows["champion"] > 0.85
    assert windows["batch"] < 0.6

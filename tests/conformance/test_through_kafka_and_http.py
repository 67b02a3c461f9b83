"""What a worker publishes and tells, over Kafka and HTTP, equals River's progressive validation exactly."""

import asyncio
import itertools
import json
import uuid

import harness
import msgspec
import pytest
from river import datasets, evaluate, linear_model, metrics, naive_bayes, optim, preprocessing, tree

MODELS = {
    "logistic": ("binary", datasets.Phishing, lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.005))),
    "naive_bayes": ("binary", datasets.Phishing, naive_bayes.GaussianNB),
    "hoeffding_tree": ("multiclass", datasets.ImageSegments, tree.HoeffdingTreeClassifier),
    "linear": ("regression", datasets.TrumpApproval, lambda: preprocessing.StandardScaler() | linear_model.LinearRegression()),
}  # fmt: skip
RUN = uuid.uuid4().hex[:8]


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    toml = "".join(
        f'[tasks.{name.replace("_", "-")}-{RUN}]\nkind = "{kind}"\nmodel = "{name}"\npredictions = true\n'
        for name, (kind, _, _) in MODELS.items()
    )
    started = harness.Worker(tmp_path_factory.mktemp("served"), broker, toml).start()
    try:
        yield started.wait_ready()
    finally:
        started.stop("SIGKILL")


@pytest.mark.parametrize("name", MODELS)
def test_served_equals_local(worker, broker, name):
    kind, source, make = MODELS[name]
    task = f"{name.replace('_', '-')}-{RUN}"
    rows = list(itertools.islice(source(), 1300))
    half = len(rows) // 2
    for at in range(0, half, 200):
        samples = [{"features": x, "label": y} for x, y in rows[at : min(at + 200, half)]]
        status, answer = worker.post(f"/v1/{task}/samples", samples)
        assert status == 202, answer
    lines = [msgspec.json.encode({"features": x, "label": y}) for x, y in rows[half:]]
    packed = [b"\n".join(lines[at : at + 7]) for at in range(0, len(lines), 7)]
    asyncio.run(harness.append(broker, f"{task}.events", ((0, value) for value in packed)))
    harness.wait_for(lambda: worker.get(f"/v1/{task}")["shards"][0]["updates"] == len(rows), 60, "all rows learned")

    names = {
        "binary": {"accuracy": metrics.Accuracy, "log_loss": metrics.LogLoss, "f1": metrics.F1},
        "multiclass": {"accuracy": metrics.Accuracy, "log_loss": metrics.CrossEntropy, "f1": metrics.MacroF1},
        "regression": {"mae": metrics.MAE, "rmse": metrics.RMSE, "r2": metrics.R2},
    }[kind]
    told = worker.get(f"/v1/{task}")["shards"][0]["arms"]["champion"]["metrics"]
    for metric, River in names.items():
        steps = list(evaluate.iter_progressive_val_score(iter(rows), make(), River(), step=1, yield_predictions=True))
        figure = steps[-1][River.__name__].get()
        if River is metrics.MacroF1:  # River adds the F1 of the classes in the order of a set
            figure = pytest.approx(figure, rel=1e-12)
        assert told[metric] == figure, metric

    published = published_by(broker, task, kind, len(rows))
    local = make()
    for number, (x, y) in enumerate(rows):
        expected = local.predict_one(x) if kind == "regression" else local.predict_proba_one(x)
        assert published[number] == as_told(kind, expected), number
        local.learn_one(x, y)

    x, _ = rows[0]
    status, answer = worker.post(f"/v1/{task}/predict", {"features": x})
    assert status == 200
    expected = local.predict_one(x) if kind == "regression" else local.predict_proba_one(x)
    assert (answer["prediction"] if kind == "regression" else answer["probabilities"]) == as_told(kind, expected)


def published_by(broker, task, kind, count):
    """The predictions of a task's topic, once each, in the order of the log."""
    found: dict[tuple[int, int], object] = {}

    def all_there():
        for message in asyncio.run(harness.read_all(broker, f"{task}.predictions")):
            for line in message.value.split(b"\n"):
                effect = json.loads(line)
                _, _, offset, row, _ = effect["id"].rsplit("/", 4)
                found[int(offset), int(row)] = effect["probabilities"] if kind != "regression" else effect["prediction"]
        return len(found) == count

    harness.wait_for(all_there, 30, "all predictions published")
    return [found[at] for at in sorted(found)]


def as_told(kind, expected):
    """A local prediction as JSON has it; a cold model says nothing."""
    if kind == "regression" or not expected:
        return None if expected == {} else expected
    return {str(label).lower() if isinstance(label, bool) else str(label): p for label, p in expected.items()}

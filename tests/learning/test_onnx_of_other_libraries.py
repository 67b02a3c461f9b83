"""Batch models as PyTorch, Keras, XGBoost and LightGBM export them: each answers as its library does, or is refused with what to do.

`onnx_files/make.py` made the files, with what the library itself answers for some rows.
"""

import json
from pathlib import Path

import msgspec
import pytest
import written_log

from headrace.learning.arms import check_arms
from headrace.learning.errors import ModelError
from headrace.learning.models.onnx import FROZEN, Input, Session, enter_file, find_misfit, spec_of
from headrace.learning.task import ArmSettings, Experiment, Feature, Guard, Task, Versions

pytest.importorskip("onnxruntime")

FOLDER = Path(__file__).with_name("onnx_files")
LIBRARIES = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
ROWS = {name: library["rows"] for library in LIBRARIES.values() for name in library["files"]}
MADE = {name: made for library in LIBRARIES.values() for name, made in library["files"].items()}
FEATURES = {name: Feature() for name in ("length", "width", "weight")}
COLOURS = ["red", "green", "blue"]

REFUSED = {
    "pytorch-logits": "no probabilities: logits or scores. Export its probabilities: a sigmoid or softmax as its last step",
    "pytorch-logit": "no probabilities: logits or scores. Export its probabilities: a sigmoid or softmax as its last step",
    "keras-logit": "no probabilities: logits or scores. Export its probabilities: a sigmoid or softmax as its last step",
    "pytorch-log-softmax": "no probabilities: logits or scores. Export its probabilities",
    "pytorch-eight-rows": "'input' takes 8 rows at once, not one. Export it with an example of one row, or for any number",
    "pytorch-weights-elsewhere": "its weights in another file, which no digest names. .* external_data=False",
}
"""What is no answer, and what the refusal says of it."""

TAKEN = [name for name in MADE if name not in REFUSED]


def task_of(*names, features=FEATURES):
    """A task with these files as its arms; they are of one kind."""
    (kind,) = {MADE[name]["kind"] for name in names}
    arms = {name: ArmSettings(onnx=f"sha256:{enter_file((FOLDER / f'{name}.onnx').read_bytes())}") for name in names}
    return Task(
        name="sold",
        kind=kind,
        features=features,
        labels=COLOURS if kind == "multiclass" else None,
        arms=arms,
        experiments=[Experiment(b=name) for name in names],
        guard=Guard(against=[], label_rate=False),
        versions=Versions(every=100_000),
        detectors=[],
    )


def answers_of(task, name, rows):
    """What the model of an arm answers for rows: the probability of each label, or a number."""
    spec = spec_of(task, task.arms[name].onnx.removeprefix("sha256:"))
    model = FROZEN[task.kind](**{key: value for key, value in spec.items() if key != "use"})
    asked = [dict(zip(task.features, row, strict=True)) for row in rows]
    if task.kind == "regression":
        return [[model.predict_one(x)] for x in asked]
    return [list(model.predict_proba_one(x).values()) for x in asked]


def flat(answers):
    return [value for answer in answers for value in (answer if isinstance(answer, list) else [answer])]


@pytest.mark.parametrize("name", TAKEN)
def test_a_model_answers_as_its_library_does(name):
    task = task_of(name)
    check_arms(task)
    answers = answers_of(task, name, ROWS[name])
    assert flat(answers) == pytest.approx(flat(MADE[name]["answers"]), abs=1e-5)


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_gives_no_answers_is_refused_with_what_to_do(name):
    with pytest.raises(ModelError, match=REFUSED[name]):
        check_arms(task_of(name))


def test_weights_are_not_looked_for_where_the_worker_happens_to_run(tmp_path, monkeypatch):
    """The digest is of the file alone: with other weights beside it, it would be another model."""
    monkeypatch.chdir(tmp_path)
    Path("model.onnx.data").write_bytes(bytes(100_000))
    with pytest.raises(ModelError, match="its weights in another file"):
        check_arms(task_of("pytorch-weights-elsewhere"))


def test_an_input_for_a_row_may_have_the_name_of_a_feature():
    """PyTorch names an input as the argument of `forward` is named: `x`."""
    name = "pytorch-amount-flat"
    task = task_of(name, features={"x": Feature(), "y": Feature(), "z": Feature()})
    check_arms(task)
    assert flat(answers_of(task, name, ROWS[name])) == pytest.approx(MADE[name]["answers"], abs=1e-5)


def test_other_features_than_those_of_the_training_are_refused():
    two, four = dict(list(FEATURES.items())[:2]), FEATURES | {"height": Feature()}
    for features, said in ((two, "declares 2"), (four, "declares 4")):
        with pytest.raises(ModelError, match=f"takes a row of 3 values, and the task {said}. Declare the features"):
            check_arms(task_of("xgboost", features=features))
    with pytest.raises(ModelError, match="takes 'weight', which is no feature of the task. Export it with one input"):
        check_arms(task_of("keras-named", features=two))
    check_arms(task_of("keras-named", features=four))  # it may leave features out
    pair = Session(None, {"length": Input(float, (None, 2)), "width": Input(float, (1,))}, ["p"])
    assert "'length' takes 2 values, and a feature is one" in str(find_misfit(pair, ["length", "width"]))


def test_frozen_arms_of_all_libraries_are_scored_in_the_fold_and_learn_nothing():
    names = ["pytorch-softmax", "keras-sigmoid", "xgboost", "lightgbm"]
    log = written_log.Log(task_of(*names))
    rows, labels = ROWS["xgboost"], [number % 2 == 0 for number in range(len(ROWS["xgboost"]))]
    for row, label in zip(rows, labels, strict=True):
        log.fold({"features": dict(zip(FEATURES, row, strict=True)), "label": label})
    for name in names:
        arm, given = log.state.arms[name], [MADE[name]["answers"][at][label] for at, label in enumerate(labels)]
        figures = arm.scoreboard.values()
        assert (arm.role, arm.updates) == ("frozen", 0)
        assert figures["accuracy"] == pytest.approx(sum(p > 0.5 for p in given) / len(rows))
        assert figures["brier_score"] == pytest.approx(sum((1 - p) ** 2 for p in given) / len(rows), abs=1e-5)
        assert log.state.experiments[f"champion {name}"].difference.count == len(rows)


def test_all_files_are_small_and_tested_and_tell_what_made_them():
    assert {path.stem for path in FOLDER.glob("*.onnx")} == MADE.keys()
    assert all(path.stat().st_size < 30_000 for path in FOLDER.iterdir() if path.is_file())
    assert {"torch", "tensorflow-cpu", "xgboost-cpu", "lightgbm"} <= {
        package for library in LIBRARIES.values() for package in library["made_with"]
    }
    assert len({msgspec.json.encode(library["rows"]) for library in LIBRARIES.values()}) == 1, (
        "they answer for the same rows"
    )

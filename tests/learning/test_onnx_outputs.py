"""What batch models give: the forms of scikit-learn, XGBoost, PyTorch and TensorFlow are taken, and what is no answer is refused."""

import numpy as np
import pytest

from headrace.learning.arms import check_arms
from headrace.learning.errors import ModelError
from headrace.learning.models.onnx import OnnxClassifier, OnnxRegressor, check_file, enter_file
from headrace.learning.task import ArmSettings, Feature, Task

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
helper, FLOAT, INT64, STRING = onnx.helper, onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.STRING

FEATURES = {"a": Feature(), "b": Feature()}
BINARY = Task(name="ads", kind="binary", features=FEATURES)
COLOURS = Task(name="hues", kind="multiclass", features=FEATURES, labels=["red", "green", "blue"])
NUMBER = Task(name="cost", kind="regression", features=FEATURES)


def graph(nodes, outputs, constants):
    """A file with these nodes on one row of two numbers, named `row`."""
    made = helper.make_graph(
        nodes,
        "hand-made",
        [helper.make_tensor_value_info("row", FLOAT, [None, 2])],
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs],
        [onnx.numpy_helper.from_array(np.array(value), name) for name, value in constants.items()],
    )
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return enter_file(helper.make_model(made, opset_imports=domains, ir_version=8).SerializeToString())


def weights(columns):
    return np.array([[1.0, -1.0, 0.5], [0.5, 0.25, -1.0]], np.float32)[:, :columns]


def tensor(columns, last="Softmax", **changed):
    """One tensor with so many columns, as PyTorch and TensorFlow write it."""
    nodes = [helper.make_node("MatMul", ["row", "w"], ["z"])]
    nodes.append(helper.make_node(last, ["z"], ["p"]))
    return graph(nodes, [("p", FLOAT, [None, columns])], {"w": weights(columns)} | changed)


def labelled(columns, classes, kind=INT64, order=None):
    """The predicted class and then a tensor of probabilities, as XGBoost writes it, and scikit-learn without zipmap."""
    nodes = [
        helper.make_node("MatMul", ["row", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["p"]),
        helper.make_node("ArgMax", ["p"], ["at"], axis=1, keepdims=0),
        helper.make_node("ArrayFeatureExtractor", ["classes", "at"], ["label"], domain="ai.onnx.ml"),
    ]
    outputs = [("label", kind, None), ("p", FLOAT, [None, columns])]
    return graph(nodes, outputs, {"w": weights(columns), "classes": np.array(classes)})


def sklearn_file(y, *, zipmap, regression=False):
    skl2onnx = pytest.importorskip("skl2onnx")
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.linear_model import LinearRegression, LogisticRegression

    x = np.random.default_rng(1).normal(size=(300, 2))
    model = (LinearRegression if regression else LogisticRegression)().fit(x, y(x[:, 0] + 0.5 * x[:, 1]))
    options = {} if regression else {id(model): {"zipmap": zipmap}}
    written = skl2onnx.to_onnx(model, initial_types=[("row", FloatTensorType([None, 2]))], options=options)
    return enter_file(written.SerializeToString())


def signs(no, yes):
    return lambda z: np.where(z > 0, yes, no)


def colours(*named):
    return lambda z: np.array(named)[np.digitize(z, [-0.5, 0.5])]


RIGHT = {
    "scikit-learn with zipmap": (BINARY, lambda: sklearn_file(signs(0, 1), zipmap=True)),
    "scikit-learn without zipmap": (BINARY, lambda: sklearn_file(signs(0, 1), zipmap=False)),
    "scikit-learn, of truth values": (BINARY, lambda: sklearn_file(lambda z: z > 0, zipmap=True)),
    "scikit-learn, several classes": (COLOURS, lambda: sklearn_file(colours("blue", "red", "green"), zipmap=True)),
    "scikit-learn, fewer classes than labels": (COLOURS, lambda: sklearn_file(signs("blue", "red"), zipmap=True)),
    "scikit-learn, a regression": (NUMBER, lambda: sklearn_file(lambda z: z, zipmap=False, regression=True)),
    "XGBoost": (BINARY, lambda: labelled(2, [0, 1])),
    "XGBoost, several classes by number": (COLOURS, lambda: labelled(3, [0, 1, 2])),
    "several classes by name": (COLOURS, lambda: labelled(3, ["red", "green", "blue"], STRING)),
    "PyTorch, two columns of softmax": (BINARY, lambda: tensor(2)),
    "PyTorch, three columns of softmax": (COLOURS, lambda: tensor(3)),
    "TensorFlow, one column of sigmoid": (BINARY, lambda: tensor(1, "Sigmoid")),
    "a regression of one column": (NUMBER, lambda: tensor(1, "Identity")),
}


@pytest.mark.parametrize("form", RIGHT)
def test_the_forms_of_the_libraries_are_taken(form):
    task, make = RIGHT[form]
    sha = make()
    check_file(task, sha)
    x = {"a": 2.0, "b": 1.0}  # z is above 0, and the first of three columns is the greatest
    if task is NUMBER:
        assert OnnxRegressor(sha, '["a", "b"]').predict_one(x) == pytest.approx(2.5, abs=1e-4)
        return
    labels = '["red", "green", "blue"]' if task is COLOURS else "[false, true]"
    answer = OnnxClassifier(sha, '["a", "b"]', labels).predict_proba_one(x)
    assert sum(answer.values()) == pytest.approx(1.0, abs=1e-5)
    two_columns = form.startswith(("XGBoost", "PyTorch, two"))
    wanted = {"several classes": "green", "scikit-learn, several classes": "green"}.get(form, "red")
    assert max(answer, key=answer.get) == (wanted if task is COLOURS else not two_columns)


WRONG = {
    "text classes with zipmap": (
        BINARY,
        lambda: sklearn_file(signs("no", "yes"), zipmap=True),
        "class 'no', and the task has 0, 1. Train it with the classes 0 and 1",
    ),
    "text classes without zipmap": (
        BINARY,
        lambda: sklearn_file(signs("no", "yes"), zipmap=False),
        "class '(no|yes)', and the task has 0, 1. Train it",
    ),
    "-1 and 1 with zipmap": (
        BINARY,
        lambda: sklearn_file(signs(-1, 1), zipmap=True),
        "class -1, and the task has 0, 1",
    ),
    "-1 and 1 without zipmap": (BINARY, lambda: sklearn_file(signs(-1, 1), zipmap=False), "class -1, and the task"),
    "other names": (COLOURS, lambda: sklearn_file(colours("a", "b", "c"), zipmap=True), "class 'a', and the task"),
    "logits in two columns": (BINARY, lambda: tensor(2, "Identity"), "sigmoid or softmax"),
    "a logit": (BINARY, lambda: tensor(1, "Identity"), "no probabilities: logits or scores. Export .* sigmoid"),
    "a sigmoid for each class": (COLOURS, lambda: tensor(3, "Sigmoid"), "whose sum is .* and not 1"),
    "the logarithms of probabilities": (COLOURS, lambda: tensor(3, "LogSoftmax"), "no probabilities"),
    "columns in another order": (
        COLOURS,
        lambda: sklearn_file(colours("blue", "red", "green"), zipmap=False),
        "columns are not in the order .*it predicts other classes. Declare the labels in the order",
    ),
    "too few columns": (COLOURS, lambda: tensor(2), "1 x 2, and the task has 3 labels"),
    "the predicted class alone": (
        BINARY,
        lambda: graph([helper.make_node("ArgMax", ["row"], ["at"], axis=1)], [("at", INT64, [None, 1])], {}),
        "a tensor of int64 with the shape 1 x 1, and probabilities are floats",
    ),
    "the predicted name alone": (
        COLOURS,
        lambda: graph(
            [
                helper.make_node("ArgMax", ["row"], ["at"], axis=1, keepdims=0),
                helper.make_node("ArrayFeatureExtractor", ["classes", "at"], ["label"], domain="ai.onnx.ml"),
            ],
            [("label", STRING, None)],
            {"classes": np.array(["red", "blue"])},
        ),
        "a tensor of object .* probabilities are floats",
    ),
    "two numbers for a regression": (NUMBER, lambda: tensor(2, "Identity"), "float32 with the shape 1 x 2, not one"),
    "a class for a regression": (NUMBER, lambda: labelled(2, [0, 1]), "int64 with the shape .*, not one number"),
}


@pytest.mark.parametrize("form", WRONG)
def test_what_is_no_answer_is_refused_with_what_was_found_and_what_to_do(form):
    task, make, said = WRONG[form]
    settings = Task(
        name=task.name,
        kind=task.kind,
        features=FEATURES,
        labels=task.labels,
        arms={"batch": ArmSettings(onnx=f"sha256:{make()}")},
    )
    with pytest.raises(ModelError, match=said):
        check_arms(settings)


def test_an_answer_that_the_check_has_not_seen_is_no_answer():
    """A model that gives logits for some rows only, and a class of no task; and numbers that are not finite."""
    nodes = [
        helper.make_node("Slice", ["row", "from", "to", "axis"], ["a"]),
        helper.make_node("Identity", ["a"], ["p"]),
    ]
    constants = {"from": np.array([0]), "to": np.array([1]), "axis": np.array([1])}
    first = graph(nodes, [("p", FLOAT, [None, 1])], constants)
    share, number = OnnxClassifier(first, '["a", "b"]'), OnnxRegressor(first, '["a", "b"]')
    assert share.predict_proba_one({"a": 0.25, "b": 0.0}) == {False: 0.75, True: 0.25}
    assert share.predict_proba_one({"a": 1.0005, "b": 0.0}) == {False: 0.0, True: 1.0}, "rounding is allowed for"
    for wrong in (1.1, -0.1, 1e30, float("nan"), float("inf")):
        assert share.predict_proba_one({"a": wrong, "b": 0.0}) == {}
    assert number.predict_one({"a": 1e30, "b": 0.0}) == pytest.approx(1e30)
    assert number.predict_one({"a": float("nan"), "b": 0.0}) is None
    signed = OnnxClassifier(labelled(2, [-1, 1]), '["a", "b"]')
    assert signed.predict_proba_one({"a": 2.0, "b": 1.0}) == {}
    assert OnnxRegressor(labelled(2, [0, 1]), '["a", "b"]').predict_one({"a": 2.0, "b": 1.0}) is None

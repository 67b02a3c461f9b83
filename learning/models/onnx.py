"""Batch models in the format of ONNX: they learn no more, are named by the digest of their file, and are run by onnxruntime."""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from random import Random
from typing import Any, NamedTuple, Protocol

import numpy as np
from river import base

from headrace.learning.errors import ModelError
from headrace.learning.models.onnx_outputs import place_of, read_class, read_number, read_probabilities
from headrace.learning.plain import plain_failure
from headrace.learning.tags import tagged
from headrace.learning.task import Feature, Kind, Label, Task, Value

USE = "onnx"

FILES: dict[str, bytes] = {}
"""The files that the settings name, by digest. A state names a model by its digest alone."""

LOOK_AGAIN: dict[str, Callable[[], object]] = {}
"""Functions that make further files known, by where they look. They are called when a digest is not known: a file may have come since."""

DECIMALS = 6
"""Answers are rounded to so many decimals: the last bits of 32-bit floats differ from one processor to another, and the fold must not."""

SCALES = (1.0, 10.0, 100.0)
ROWS = 20
"""A file is checked with so many random rows of numbers of each of these sizes."""

CLEAR = 0.6
"""A row tells the order of the columns if one is so probable."""

TYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}


ELSEWHERE = re.compile(rb"\x6a[\x80-\xff]{0,2}[\x00-\x7f]\n\x08location\x12", re.DOTALL)
"""How the place of a tensor outside of the file begins: `TensorProto.external_data`, and its key `location`.

onnxruntime would look for it where the worker happens to run, and two files of the same digest would be two models.
"""

ONE_FILE = "Export it as one file: torch.onnx.export(..., external_data=False), or onnx.save(onnx.load(FILE), ANOTHER)."


class Runner(Protocol):
    """Runs a model: `onnxruntime.InferenceSession`."""

    def run(self, outputs: Sequence[str], feed: Mapping[str, np.ndarray[Any, Any]]) -> list[Any]:
        """Return these outputs for these inputs."""
        ...


class Input(NamedTuple):
    """An input of a model: the type of its values and its sizes, the last one that of a row. None is any size."""

    dtype: type[np.generic]
    shape: tuple[int | None, ...]

    @property
    def width(self) -> int | None:
        """The number of values in a row; None if that is open."""
        return self.shape[-1] if self.shape else None

    @property
    def rows(self) -> int:
        """The number of rows that it takes at once; 1 if it takes any number."""
        return math.prod(size or 1 for size in self.shape[:-1])

    def fill(self, row: Sequence[Any]) -> np.ndarray[Any, Any]:
        """Put one row into an array with as many dimensions as it has; exporters leave out that of the rows if their example had none.

        Examples
        --------
        >>> Input(np.float32, (None, 2)).fill([1, 2]).shape, Input(np.float32, (2,)).fill([1, 2]).shape
        ((1, 2), (2,))
        """
        dimensions = len(self.shape) or 2
        return np.array(row, self.dtype).reshape((1,) * (dimensions - 1) + (len(row),))


class Session(NamedTuple):
    """A model that is loaded: what runs it, its inputs by name, and the names of its outputs."""

    runner: Runner
    inputs: dict[str, Input]
    outputs: list[str]

    def takes_row(self, features: Sequence[str]) -> bool:
        """Tell whether it takes the features as one row: it has one input, which is as wide, or has the name of none of them."""
        if len(self.inputs) != 1:
            return False
        ((name, only),) = self.inputs.items()
        return name not in features or only.width == len(features) > 1


def enter_file(data: bytes) -> str:
    """Make a file known to the models of this process; return its digest."""
    digest = hashlib.sha256(data).hexdigest()
    FILES[digest] = data
    return digest


def spec_of(task: Task, digest: str) -> dict[str, Value]:
    """Describe the model of a file for a task: its features in the order of the task, and the labels of its probabilities.

    Examples
    --------
    >>> spec_of(Task(name="ads", kind="binary", features={"price": Feature()}), "0f")["features"]
    '["price"]'
    """
    spec: dict[str, Value] = {"digest": digest, "features": json.dumps(list(task.features or ())), "use": USE}
    if task.kind != "regression":
        spec["labels"] = json.dumps([False, True] if task.kind == "binary" else task.labels)
    return dict(sorted(spec.items()))


SESSIONS: dict[str, Session] = {}
"""The models that are loaded, by digest."""


def load(digest: str) -> Session:
    """Load the model of a file.

    Raises
    ------
    ModelError
        onnxruntime is not installed, the settings name no file of this digest, or the file holds no model.
    """
    if digest in SESSIONS:
        return SESSIONS[digest]
    if digest not in FILES:
        for look in LOOK_AGAIN.values():
            look()
    data = FILES.get(digest)
    if data is None:
        what = f"there is no ONNX file with the digest {digest[:16]} here."
        remedy = "Put the file that the definition names where each worker runs, and name it in its headrace.toml: as an arm, or in worker.onnx."
        raise ModelError(what, remedy)
    if ELSEWHERE.search(data):
        raise ModelError(
            f"the ONNX file {digest[:16]} has its weights in another file, which no digest names.", ONE_FILE
        )
    try:
        import onnxruntime
    except ImportError:
        raise ModelError("onnxruntime is not installed.", "pip install 'headrace[onnx]'") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # a row is small, and threads may add in any order
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 onnxruntime raises errors of many classes
        raise ModelError(
            f"the ONNX file {digest[:16]} cannot be loaded: {plain_failure(error)[:200]}.", "Export it again."
        ) from None
    if unknown := [one.type for one in session.get_inputs() if one.type not in TYPES]:
        raise ModelError(f"an input of the ONNX file {digest[:16]} is a {unknown[0]}.", f"Use {', '.join(TYPES)}.")
    inputs = {
        one.name: Input(TYPES[one.type], tuple(size if isinstance(size, int) else None for size in one.shape))
        for one in session.get_inputs()
    }
    SESSIONS[digest] = Session(session, inputs, [one.name for one in session.get_outputs()])
    return SESSIONS[digest]


class Onnx(base.Estimator):
    """A batch model. It takes one row of numbers in the order of the task's features, or one input of each feature's name.

    A feature that a record lacks is NaN, or an empty string. Features that it cannot take get no answer, as of a cold model.

    Parameters
    ----------
    digest
        SHA-256 of the file, as hex.
    features
        The names of the features in their order, as JSON.
    """

    def __init__(self, digest: str, features: str):
        self.digest, self.features = digest, features

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: dict[str, Value], y: Label) -> None:
        """Learn nothing."""

    def run(self, x: dict[str, Value]) -> list[Any] | None:
        """Return the outputs for one set of features; None if the model cannot take them."""
        session, features = load(self.digest), _names(self.features)
        try:
            if session.takes_row(features):
                ((name, only),) = session.inputs.items()
                feed = {name: only.fill([float(x.get(feature, math.nan)) for feature in features])}
            else:
                feed = {name: one.fill([_cell(x.get(name), one.dtype)]) for name, one in session.inputs.items()}
            outputs: list[Any] = session.runner.run(session.outputs, feed)
        except Exception:  # noqa: BLE001 a string where a number should be; onnxruntime raises errors of many classes
            return None
        return outputs


@tagged("onnx-classifier/1")
class OnnxClassifier(Onnx, base.Classifier):
    """A batch classifier. Its last output has the probabilities: a column for each label, or one column of true.

    Parameters
    ----------
    digest, features
        As for `Onnx`.
    labels
        The labels of the columns in their order, as JSON.
    """

    def __init__(self, digest: str, features: str, labels: str = "[false, true]"):
        super().__init__(digest, features)
        self.labels = labels

    def predict_proba_one(self, x: dict[str, Value]) -> dict[Label, float]:
        """Return the probability of each label; empty if the model cannot take the features, or what it gives are no probabilities."""
        outputs = self.run(x)
        if outputs is None:
            return {}
        labels = _labels(self.labels)
        try:
            shares = read_probabilities(outputs, labels)
        except ModelError:  # `check_file` has not seen such a row
            return {}
        return {} if shares is None else {label: round(p, DECIMALS) for label, p in zip(labels, shares, strict=True)}


@tagged("onnx-regressor/1")
class OnnxRegressor(Onnx, base.Regressor):
    """A batch regressor. Its first output has the number."""

    def __init__(self, digest: str, features: str):
        super().__init__(digest, features)

    def predict_one(self, x: dict[str, Value]) -> float | None:
        """Return the number; None if the model cannot take the features, or what it gives is not one finite number."""
        outputs = self.run(x)
        try:
            value = None if outputs is None else read_number(outputs)
        except ModelError:
            return None
        return None if value is None else round(value, DECIMALS)


FROZEN: Mapping[Kind, type[Onnx]] = {
    "binary": OnnxClassifier,
    "multiclass": OnnxClassifier,
    "regression": OnnxRegressor,
}


def check_file(task: Task, digest: str) -> None:
    """Ask the model of a file with features that the task declares, and look at what it answers.

    Raises
    ------
    ModelError
        The model cannot be loaded, does not fit the task, has no answer, or answers what is no answer to this task.
    """
    if task.features is None or (task.kind == "multiclass" and not task.labels):
        what = "a model in the format of ONNX needs the task's features, and for several classes its labels, in their order."
        raise ModelError(what, "Declare them in headrace.toml.")
    if (misfit := find_misfit(load(digest), list(task.features))) is not None:
        raise ModelError(f"the ONNX file {digest[:16]} does not fit the task: {misfit.what}", misfit.remedy)
    made_of = {name: str(value) for name, value in spec_of(task, digest).items() if name != "use"}
    model = FROZEN[task.kind](**made_of)
    labels = _labels(made_of.get("labels", "[]"))
    # For each column: the rows for which its label is predicted, less those for which another one is.
    agreeing = Counter[int]()
    for row, x in enumerate(_examples(task.features)):
        outputs = model.run(x)
        try:
            answer = None if outputs is None else _read(outputs, labels)
        except ModelError as error:
            raise ModelError(f"the ONNX file {digest[:16]} does not fit the task: {error.what}", error.remedy) from None
        if answer is None and row == 0:
            what = f"the ONNX file {digest[:16]} has no answer to features of this task"
            raise ModelError(
                f"{what}: one row of {len(task.features)} numbers, or one input for each.",
                "Export it for these features.",
            )
        if outputs is not None and answer and max(answer) >= CLEAR and (said := read_class(outputs)) is not None:
            column = answer.index(max(answer))
            agreeing[column] += 1 if place_of(said, labels) == column else -1
    # A model of two classes may have a threshold of its own.
    if task.kind == "multiclass" and min(agreeing.values(), default=0) < 0:
        order = json.dumps(labels)
        what = f"the ONNX file {digest[:16]} does not fit the task: its columns are not in the order {order}"
        raise ModelError(f"{what}, since it predicts other classes.", "Declare the labels in the order of its classes.")


def find_misfit(session: Session, features: Sequence[str]) -> ModelError | None:
    """Find out why the inputs of a model cannot take features, from their names and sizes; None if they can.

    Examples
    --------
    >>> row = Session(None, {"input": Input(np.float32, (8, 3))}, ["probabilities"])
    >>> print(find_misfit(row, ["a", "b", "c"]))
    its input 'input' takes 8 rows at once, not one. Export it with an example of one row, or for any number of rows.
    """
    takes_row = session.takes_row(features)
    for name, one in session.inputs.items():
        if not takes_row and name not in features:
            what = f"it takes '{name}', which is no feature of the task."
            return ModelError(
                what, "Export it with one input for a row of all features, or an input of each feature's name."
            )
        if one.rows > 1:
            what = f"its input '{name}' takes {one.rows} rows at once, not one."
            return ModelError(what, "Export it with an example of one row, or for any number of rows.")
        wanted = len(features) if takes_row else 1
        if one.width is not None and one.width != wanted:
            row, has = ("a row of ", f"the task declares {wanted}") if takes_row else ("", "a feature is one")
            what = f"its input '{name}' takes {row}{one.width} values, and {has}."
            return ModelError(
                what, "Declare the features that it was trained with, in their order, or export it for these."
            )
    return None


def _read(outputs: Sequence[Any], labels: Sequence[Label]) -> list[float] | None:
    """Read the probabilities of these labels; where there are none, a number."""
    if labels:
        return read_probabilities(outputs, labels)
    value = read_number(outputs)
    return None if value is None else [value]


def _examples(features: Mapping[str, Feature]) -> Iterator[dict[str, Value]]:
    """Make rows of features: of zeros, and then at random, of several sizes, so that logits and other classes show."""
    yield {name: _example(feature) for name, feature in features.items()}
    dice = Random(0)
    for scale in SCALES:
        for _ in range(ROWS):
            yield {name: _random_example(feature, dice, scale) for name, feature in features.items()}


def _random_example(feature: Feature, dice: Random, scale: float) -> Value:
    if feature.type == "string":
        return dice.choice(feature.values) if feature.values else ""
    if feature.type == "bool":
        return dice.random() < 0.5
    low, high = (bound if bound is not None and math.isfinite(bound) else None for bound in (feature.min, feature.max))
    if low is None:
        low = -scale if high is None else min(-scale, high - scale)
    value = dice.uniform(low, max(scale, low + scale) if high is None else high)
    return round(value) if feature.type == "int" else value


def _example(feature: Feature) -> Value:
    if feature.type == "string":
        return feature.values[0] if feature.values else ""
    return False if feature.type == "bool" else 0 if feature.type == "int" else 0.0


@cache
def _names(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


@cache
def _labels(text: str) -> tuple[bool | int | str, ...]:
    return tuple(json.loads(text))


def _cell(value: Value | None, dtype: type[np.generic]) -> Value:
    """Make a value one of the type; what a record lacks is NaN, or an empty string."""
    if dtype is np.object_:
        return "" if value is None else str(value)
    return math.nan if value is None else value

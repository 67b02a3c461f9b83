"""Generated rows: features and labels that a task accepts, to try a model before the first record comes."""

import math
import random
from collections.abc import Iterator
from typing import Literal, NamedTuple

from headrace.learning.records.labels import declared_type
from headrace.learning.task import Feature, Label, Task, Value
from headrace.learning.waiting.batch import LabelledFeatures

TEXTS = ("good day", "bad night", "two words")
UNSEEN = "never seen"
"""A name and a string that no sample has, for questions."""


class RowShape(NamedTuple):
    """The shape of generated rows, as far as the task leaves it open.

    Parameters
    ----------
    values
        Numbers, strings, or both.
    varying
        Whether features may be missing, and new features may appear.
    labels
        The type of the labels of a multiclass task that declares none.
    required
        Additional features that every row has: strings if `values` is `strings` or `mixed`, numbers otherwise.
    """

    values: Literal["mixed", "numbers", "strings"] = "mixed"
    varying: bool = True
    labels: Literal["str", "int"] = "str"
    required: tuple[str, ...] = ()


def shapes(task: Task) -> list[RowShape]:
    """List the shapes of rows to try, the most demanding one first. A task that declares its features and label type has only one."""
    label_types: tuple[Literal["str", "int"], ...] = ("str", "int")
    if task.kind != "multiclass" or declared_type(task) is not None:
        label_types = ("str",)
    choices: list[RowShape] = []
    for labels in label_types:
        choices.append(RowShape(labels=labels))
        if task.features is None:
            choices += [RowShape("numbers", labels=labels), RowShape("strings", labels=labels)]
            choices += [
                RowShape("numbers", varying=False, labels=labels),
                RowShape("strings", varying=False, labels=labels),
            ]
    return choices


def samples(task: Task, shape: RowShape, n: int) -> Iterator[LabelledFeatures]:
    """Yield `n` samples, the same ones in every process."""
    rng = random.Random(17)
    labels = _labels(task, shape)
    for number in range(n):
        x = _features(task, shape, rng, number)
        score = sum(value for value in x.values() if type(value) is float and math.isfinite(value))
        yield LabelledFeatures(x, _label(task, labels, score + rng.gauss(0, 1), rng))


def questions(task: Task, shape: RowShape) -> Iterator[dict[str, Value]]:
    """Yield features that a question may have and no sample had: none at all, unknown names, unknown strings."""
    rng = random.Random(23)
    for number in range(3):
        x = _features(task, shape, rng, -1 - number)
        free = {name: _is_free(task, name) for name in x}
        yield {name: UNSEEN if type(value) is str and free[name] else value for name, value in x.items()}
        if task.features is None:
            yield x | {UNSEEN: 1.0}
            yield {UNSEEN: 1.0, UNSEEN * 2: True}
            yield {UNSEEN: "text"} if shape.values == "strings" else {}
    if task.features is not None:
        yield {name: x[name] for name, feature in task.features.items() if not feature.optional}


def _features(task: Task, shape: RowShape, rng: random.Random, number: int) -> dict[str, Value]:
    if task.features is not None:
        return {
            name: _declared(feature, rng)
            for name, feature in task.features.items()
            if not (feature.optional and rng.random() < 0.3)
        }
    x: dict[str, Value] = {}
    if shape.values != "strings":
        x |= {"n1": rng.gauss(0, 1), "n2": rng.gauss(10, 3), "n3": rng.randrange(9), "n4": rng.random() < 0.5}
    if shape.values != "numbers":
        x |= {"s1": rng.choice(TEXTS), "s2": f"value {number if number % 9 == 0 else number % 3}"}
    if shape.varying:
        x = {name: value for name, value in x.items() if rng.random() < 0.8}
        if number % 10 == 5:
            x[f"new {number}"] = rng.choice(TEXTS) if shape.values == "strings" else rng.gauss(0, 1)
    for name in shape.required:
        x[name] = rng.gauss(0, 1) if shape.values == "numbers" else rng.choice(TEXTS)
    return x


def _declared(feature: Feature, rng: random.Random) -> Value:
    if feature.type == "bool":
        return rng.random() < 0.5
    if feature.type == "string":
        return rng.choice(feature.values or TEXTS)
    low, high = feature.min, feature.max
    if low is None:
        low = -3.0 if high is None else high - 10
    if high is None:
        high = low + 10
    if feature.type == "float":
        return rng.uniform(low, high)
    return rng.randint(math.ceil(low), max(math.ceil(low), math.floor(high)))


def _is_free(task: Task, name: str) -> bool:
    return task.features is None or task.features[name].values is None


def _labels(task: Task, shape: RowShape) -> list[Label]:
    if task.kind != "multiclass":
        return [False, True]
    if task.labels:
        return list(task.labels)
    whole = (declared_type(task) or shape.labels) == "int"
    return [1, 2, 3] if whole else ["a", "b", "c"]


def _label(task: Task, labels: list[Label], score: float, rng: random.Random) -> Label:
    if task.kind == "regression":
        return score
    if rng.random() < 0.1:
        return rng.choice(labels)
    return labels[math.floor(abs(score)) % len(labels)]

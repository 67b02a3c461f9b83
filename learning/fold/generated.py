"""Generated rows: features and labels that a task lets through, to try a model with before the first record comes."""

import math
import random
from collections.abc import Iterator
from typing import Literal, NamedTuple

from headrace.learning.records.labels import declared_type
from headrace.learning.task import Feature, Label, Task, Value
from headrace.learning.waiting.batch import Row

TEXTS = ("good day", "bad night", "two words")
UNSEEN = "never seen"
"""A name and a text that no row has, for questions."""


class Shape(NamedTuple):
    """What rows are like where a task does not say it.

    Parameters
    ----------
    values
        `mixed`, or numbers or strings alone.
    varying
        Whether features may be missing, and new ones come.
    labels
        The type of the labels of many classes, if none are declared.
    required
        Features that every row has, beside others: strings if `values` is `strings` or `mixed`.
    """

    values: Literal["mixed", "numbers", "strings"] = "mixed"
    varying: bool = True
    labels: Literal["str", "int"] = "str"
    required: tuple[str, ...] = ()


def shapes(task: Task) -> list[Shape]:
    """Shapes of rows to try, the most demanding one first; one alone where the task declares its features."""
    kinds: tuple[Literal["str", "int"], ...] = ("str", "int")
    if task.kind != "multiclass" or declared_type(task) is not None:
        kinds = ("str",)
    found: list[Shape] = []
    for labels in kinds:
        found.append(Shape(labels=labels))
        if task.features is None:
            found += [Shape("numbers", labels=labels), Shape("strings", labels=labels)]
            found += [Shape("numbers", varying=False, labels=labels), Shape("strings", varying=False, labels=labels)]
    return found


def samples(task: Task, shape: Shape, n: int) -> Iterator[Row]:
    """Rows that are the same whenever and wherever they are made."""
    rng = random.Random(17)
    labels = _labels(task, shape)
    for number in range(n):
        x = _features(task, shape, rng, number)
        score = sum(value for value in x.values() if type(value) is float and math.isfinite(value))
        yield Row(x, _label(task, labels, score + rng.gauss(0, 1), rng))


def questions(task: Task, shape: Shape) -> Iterator[dict[str, Value]]:
    """Features that may be asked for and that no sample had: none at all, unknown names, unknown texts."""
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


def _features(task: Task, shape: Shape, rng: random.Random, number: int) -> dict[str, Value]:
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


def _labels(task: Task, shape: Shape) -> list[Label]:
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

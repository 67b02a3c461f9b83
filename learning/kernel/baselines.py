"""Baselines for the kernel: what they answer to the rows of a stretch, and what they are afterwards."""

from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from river import dummy

from headrace.learning.models.baseline import Majority, NoChange, NoChangeRegressor, count_label
from headrace.learning.task import Label

Answers = list[Any]
"""What a baseline answers before each label, and after the last one; None while it is cold, which is at the first one at most."""


def _repeat(model: NoChange | NoChangeRegressor, labels: Sequence[Label]) -> Answers:
    return [model.last, *labels]


def _vote(model: Majority, labels: Sequence[Label]) -> Answers:
    counts, most = dict(model.counts), model.most
    answers: Answers = [most]
    for y in labels:
        most = count_label(counts, most, y)
        answers.append(most)
    return answers


def _try(model: Any, labels: Sequence[Label]) -> Answers:
    copy = deepcopy(model)
    answers: Answers = [copy.predict_one({})]
    for y in labels:
        copy.learn_one({}, y)
        answers.append(copy.predict_one({}))
    return answers


ANSWERS: dict[type, Callable[[Any, Sequence[Label]], Answers]] = {
    NoChange: _repeat,
    NoChangeRegressor: _repeat,
    Majority: _vote,
    dummy.StatisticRegressor: _try,
}
"""The baselines, each with the function that tells what it answers; the model stays as it is."""


def learn_labels(model: Any, labels: Sequence[Label], answers: Answers) -> None:
    """Let a baseline learn labels, one after the other.

    Parameters
    ----------
    model
        The baseline.
    labels
        The labels, at least one.
    answers
        What it answers before each of them, and after them.
    """
    if isinstance(model, NoChange | NoChangeRegressor):
        model.last = answers[len(labels)]
        if isinstance(model, NoChange):
            model.seen.update(dict.fromkeys(labels))
    elif isinstance(model, Majority):
        for label, count in Counter(labels).items():
            model.counts[label] = model.counts.get(label, 0) + count
        model.total += len(labels)
        model.most = answers[len(labels)]
    else:
        for y in labels:
            model.learn_one({}, y)

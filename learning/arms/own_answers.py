"""Checks the predictions of a user's own model."""

from typing import Any

import numpy as np

from headrace.learning.errors import ModelError
from headrace.learning.prediction import Prediction
from headrace.learning.tags import tagged
from headrace.learning.task import Label, Task, Value


@tagged("own-answers/1")
class OwnAnswers:
    """Checks the predictions of a user's own model, because a wrong class would be published, served and scored like a right one.

    Parameters
    ----------
    task
        The task, which names the model and decides what it may predict.

    Examples
    --------
    >>> from river.dummy import PriorClassifier
    >>> model = PriorClassifier()
    >>> model.learn_one({}, "maybe")
    >>> OwnAnswers(Task(name="ads", kind="binary", model="shop:make")).prediction(model, {})
    Traceback (most recent call last):
    ...
    headrace.learning.errors.ModelError: the model 'shop:make' answered with the class 'maybe', which is not one of true, false. Let it answer with True and False.
    """

    def __init__(self, task: Task):
        self.model, self.kind = task.model_name, task.kind
        self.labels = None if task.labels is None else tuple(task.labels)

    def prediction(self, model: Any, features: dict[str, Value]) -> Prediction | None:
        """Return the model's prediction, with Python numbers in place of NumPy's; None while the model is cold. One without probabilities is certain.

        Raises
        ------
        ModelError
            The prediction is no number, or has a class that the task does not allow.
        """
        if self.kind == "regression":
            value = model.predict_one(features)
            return None if value is None else Prediction(self._number(value))
        if self.kind == "anomaly":
            score = float(self._number(model.score_one(features)))
            return Prediction(score, score=score)
        try:
            answered = model.predict_proba_one(features)
        except NotImplementedError:  # as some of River's classifiers do, which vote
            value = model.predict_one(features)
            answered = {} if value is None else {value: 1.0}
        if not answered:
            return None
        probabilities = {_plain(label): self._number(p) for label, p in answered.items()}
        self._check(probabilities)
        return Prediction.of_classes(probabilities)

    def _number(self, value: object) -> float:
        plain = _plain(value)
        if type(plain) is float or (type(plain) is int and abs(plain) < 2**63):
            return plain
        what = f"the model '{self.model}' answered with {repr(plain)[:80]}, which is no number of 64 bits."
        raise ModelError(what, "Let it answer with a number (a classifier: a dict of classes to numbers).")

    def _check(self, probabilities: dict[Label, float]) -> None:
        for label in probabilities:
            if self.kind == "binary":
                fits, domain, remedy = type(label) is bool, "one of true, false", "Let it answer with True and False."
            elif self.labels is not None:
                fits, domain = label in self.labels and type(label) in (int, str), "one of the task's labels"
                remedy = "Let it answer with these, or declare the class in headrace.toml."
            else:
                fits, domain = type(label) in (int, str), "a string or a whole number"
                remedy = "Let it answer with the labels that it has learned."
            if not fits:
                what = f"the model '{self.model}' answered with the class {repr(label)[:80]}, which is not {domain}."
                raise ModelError(what, remedy)
        if len(set(map(type, probabilities))) > 1:
            what = f"the model '{self.model}' answered with classes that are strings and others that are whole numbers."
            raise ModelError(what, "Let it answer with the labels that it has learned.")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value

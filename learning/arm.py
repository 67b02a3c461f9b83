"""An arm: a model with its detector and its metrics."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from headrace.learning.batch import Row
from headrace.learning.drift import DEFAULT, DETECTORS, Change, Detector
from headrace.learning.errors import ModelError
from headrace.learning.metrics import Scoreboard
from headrace.learning.models import build
from headrace.learning.prediction import Prediction
from headrace.learning.schema import LARGEST
from headrace.learning.task import Label, Task, Value


class Arm:
    """A model that predicts, is scored on what it predicted, and then learns: always in that order.

    Parameters
    ----------
    task
        Decides the model and its metrics.
    role
        `champion` (its predictions are served), `challenger` or `baseline`.

    Examples
    --------
    >>> arm = Arm(Task(name="ads", kind="binary"), role="champion")
    >>> prediction = arm.predict({"price": 2.0})
    >>> arm.score(prediction, True)
    >>> arm.learn({"price": 2.0}, True)
    >>> arm.predict({"price": 2.0}).value
    True
    """

    def __init__(self, task: Task, role: str):
        self.role = role
        self.version: str | None = None
        self.model = build(task.model, task.kind)
        self.scoreboard = Scoreboard(task.kind)
        self.detector: Detector = DETECTORS[DEFAULT]()
        self.broken = False  # whether it has ceased to predict finite numbers
        self._regression = task.kind == "regression"
        self._own = OwnAnswers(task) if ":" in task.model_name else None

    def predict(self, features: dict[str, Value]) -> Prediction | None:
        """What the model says of these features now; None while it is cold. A model of the catalogue is not changed by it.

        Raises
        ------
        ModelError
            A user's own model says what is no answer of this kind of task. It may raise anything else, too.
        """
        if self._own is not None:
            return self._own.prediction(self.model, features)
        if self._regression:
            value = self.model.predict_one(features)
            return None if value is None else Prediction(value)
        probabilities = self.model.predict_proba_one(features)
        return Prediction.of_classes(probabilities) if probabilities else None

    def score(self, prediction: Prediction | None, label: Label) -> Change | None:
        """Count a prediction against its label; the change of error, if this one revealed a drift."""
        if prediction is None:
            return None
        self.scoreboard.update(label, prediction)
        # A regression that runs away has errors whose squares would turn the detector's window into infinity, and that for ever.
        error = min(abs(label - prediction.value), LARGEST) if self._regression else prediction.value != label  # type: ignore[operator]
        return self.detector.update(float(error))

    def learn(self, features: dict[str, Value], label: Label) -> None:
        """Update the model with one labelled sample."""
        self.model.learn_one(features, label)

    def learn_mean(self, rows: Sequence[Row]) -> None:
        """Update the model by one step along the mean gradient of these rows."""
        self.model.learn_mean(rows)

    def describe(self, model: str) -> dict[str, Any]:
        """What `GET /v1/{task}` says of this arm."""
        return {"role": self.role, "model": model, "version": self.version, "metrics": self.scoreboard.values()}


class OwnAnswers:
    """Checks what a user's own model answers; a wrong class would be published, served and scored like a right one.

    Parameters
    ----------
    task
        Names the model, and says what it may answer.

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
        """What the model says, with plain numbers in place of NumPy's; None while it is cold."""
        if self.kind == "regression":
            value = model.predict_one(features)
            return None if value is None else Prediction(self._number(value))
        answered = model.predict_proba_one(features)
        if not answered:
            return None
        probabilities = {_plain(label): self._number(p) for label, p in answered.items()}
        self._check(probabilities)
        return Prediction.of_classes(probabilities)

    def _number(self, value: object) -> Any:
        value = _plain(value)
        if type(value) not in (int, float) or (type(value) is int and abs(value) >= 2**63):
            what = f"the model '{self.model}' answered with {repr(value)[:80]}, which is no number of 64 bits."
            raise ModelError(what, "Let it answer with a number (a classifier: a dict of classes to numbers).")
        return value

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

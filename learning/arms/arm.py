"""An arm: a model with its detector and its metrics."""

from collections.abc import Sequence
from typing import Any

from headrace.learning.arms.own_answers import OwnAnswers
from headrace.learning.drift import DEFAULT, DETECTORS, Change, Detector
from headrace.learning.metrics import Scoreboard
from headrace.learning.models import build
from headrace.learning.prediction import Prediction
from headrace.learning.records.schema import LARGEST
from headrace.learning.tags import tagged
from headrace.learning.task import Label, Task, Value
from headrace.learning.waiting.batch import Row


@tagged("arm/1")
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

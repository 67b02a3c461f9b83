"""An arm: a model with its detector and its metrics."""

from collections.abc import Sequence

from headrace.learning.arms.own_answers import OwnAnswers
from headrace.learning.drift import DEFAULT, DETECTORS, Change, Detector
from headrace.learning.metrics import Scoreboard
from headrace.learning.models import build
from headrace.learning.prediction import Prediction, number
from headrace.learning.records.schema import LARGEST
from headrace.learning.tags import tagged
from headrace.learning.task import Json, Label, Task, Value
from headrace.learning.waiting.batch import LabelledFeatures


@tagged("arm/1")
class Arm:
    """A model with its drift detector and its metrics. It predicts, is scored on its prediction, and then learns, in that order.

    Parameters
    ----------
    task
        The task, which decides the model and the metrics.
    role
        `champion` (whose predictions are served), `challenger` or `baseline`.

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
        self.broken = False  # True once a prediction was not finite, so that only the first one raises an alert
        self._regression = task.kind == "regression"
        self._own = OwnAnswers(task) if ":" in task.model_name else None

    def predict(self, features: dict[str, Value]) -> Prediction | None:
        """Return the model's prediction; None while the model is cold. Predicting does not change a model of the catalogue.

        Raises
        ------
        ModelError
            A user's own model predicts a value that this kind of task does not allow. Such a model may also raise any other error.
        """
        if self._own is not None:
            return self._own.prediction(self.model, features)
        if self._regression:
            value = self.model.predict_one(features)
            return None if value is None else Prediction(value)
        probabilities = self.model.predict_proba_one(features)
        return Prediction.of_classes(probabilities) if probabilities else None

    def score(self, prediction: Prediction | None, label: Label) -> Change | None:
        """Score a prediction against its label; return the change of the error if the detector sees a drift."""
        if prediction is None:
            return None
        self.scoreboard.update(label, prediction)
        # The squared errors of a diverging regression would make the detector's window infinite for ever.
        if self._regression:
            error = min(abs(number(label) - number(prediction.value)), LARGEST)
        else:
            error = prediction.value != label
        return self.detector.update(float(error))

    def learn(self, features: dict[str, Value], label: Label) -> None:
        """Update the model with one labelled sample."""
        self.model.learn_one(features, label)

    def learn_mean(self, rows: Sequence[LabelledFeatures]) -> None:
        """Update the model by one step along the mean gradient of these rows."""
        self.model.learn_mean(rows)

    def describe(self, model: str) -> dict[str, Json]:
        """Describe the arm for `GET /v1/{task}`."""
        return {"role": self.role, "model": model, "version": self.version, "metrics": self.scoreboard.values()}

"""An arm: a model with its detector and its metrics."""

from collections.abc import Sequence
from typing import Any

from headrace.learning.arms.own_answers import OwnAnswers
from headrace.learning.drift import DEFAULT, DETECTORS, Change, Detector
from headrace.learning.encoding import digest
from headrace.learning.metrics import Scoreboard
from headrace.learning.models import build
from headrace.learning.prediction import Prediction, number
from headrace.learning.records.schema import LARGEST
from headrace.learning.tags import tagged
from headrace.learning.task import MEANS, Json, Label, Task, Value, name_of
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

    Attributes
    ----------
    made_of
        What the model was made of, as in the task's `model`; a task that changes its model does not change this.
    version
        The id of the version that the model comes from, None before the first one.
    updates
        Labels that the model has learned, those of the version that it comes from included.

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
        self.made_of = task.model
        self.version: str | None = None
        self.updates = 0
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
        self.updates += 1
        self.model.learn_one(features, label)

    def learn_mean(self, rows: Sequence[LabelledFeatures]) -> None:
        """Update the model by one step along the mean gradient of these rows."""
        self.updates += len(rows)
        self.model.learn_mean(rows)

    def replace(self, task: Task, model: Any, version: str | None, updates: int) -> None:
        """Put another model in the place of this arm's own. Its metrics go on, since they count what was answered; its detector starts anew.

        Parameters
        ----------
        task
            What the model was made for.
        model
            The model; it must not be anyone else's.
        version, updates
            As the attributes.
        """
        self.made_of, self.model, self.version, self.updates = task.model, model, version, updates
        self.detector = DETECTORS[DEFAULT]()
        self.broken = False
        self._own = OwnAnswers(task) if ":" in task.model_name else None

    @property
    def takes_means(self) -> bool:
        """Whether `learn_mean` can be called: the model learns by gradients."""
        return self.model_name == MEANS

    @property
    def digest(self) -> str:
        """SHA-256, as hex, of the model alone: equal models have equal digests, whatever log they learned from."""
        return digest(self.model)

    @property
    def model_name(self) -> str:
        """The catalogue name or `module:function` of the model."""
        return name_of(self.made_of)

    def describe(self) -> dict[str, Json]:
        """Describe the arm as `GET /v1/{task}` does, but for the digest, which takes a while."""
        return {
            "role": self.role,
            "model": self.model_name,
            "version": self.version,
            "updates": self.updates,
            "metrics": self.scoreboard.values(),
        }

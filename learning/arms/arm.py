"""An arm: a model with its detectors and its metrics."""

from collections.abc import Sequence
from typing import Any

from headrace.learning.arms.cutoff import Cutoff
from headrace.learning.arms.lowest_cost import LowestCost
from headrace.learning.arms.own_answers import OwnAnswers
from headrace.learning.arms.quantile_cutoff import QuantileCutoff
from headrace.learning.arms.sampling import sampling_of
from headrace.learning.encoding import digest
from headrace.learning.metrics import Scoreboard
from headrace.learning.models import build
from headrace.learning.models.rate import Rate
from headrace.learning.prediction import Prediction, number
from headrace.learning.records.schema import LARGEST
from headrace.learning.signals import Notice
from headrace.learning.tags import tagged
from headrace.learning.task import MEANS, Json, Label, Role, Task, Threshold, Value, name_of
from headrace.learning.waiting.batch import LabelledFeatures
from headrace.learning.watch import Watch, watchings


@tagged("arm/5")
class Arm:
    """A model with its detectors and its metrics. It predicts, is scored on its prediction, and then learns, in that order.

    Parameters
    ----------
    task
        The task, which decides the model and the metrics.
    role
        `champion` (whose predictions are served), `challenger`, `baseline` (a simple answer as a measure for the others), or `frozen`: an arm
        that learns no more.

    Attributes
    ----------
    made_of
        What the model was made of, as in the task's `model`; a task that changes its model does not change this.
    version
        The id of the version that the model comes from, None before the first one.
    since
        The step of the log at which the model got this place; 0: at the beginning. What was predicted under the arm's name up to then was predicted
        by another model.
    updates
        Labels that the model has learned, those of the version that it comes from included; records, if it learns without labels.
    errors, scores
        The detectors that watch the error, and those that watch the predictions, by name.
    sampling
        Says how often a record is learned, by its label, if the model is made so.
    rate
        The change of the learning rate that a reaction has made.
    cutoff
        Decides between true and false, if the task has a `threshold`; between classes, if it has `costs`.
    is_brief
        Whether it predicts labels without probabilities: as every regression, and as a baseline does where only labels are compared.

    Examples
    --------
    >>> arm = Arm(Task(name="ads", kind="binary"), role="champion")
    >>> prediction = arm.predict({"price": 2.0})
    >>> arm.score(prediction, True)
    []
    >>> arm.learn({"price": 2.0}, True)
    >>> arm.predict({"price": 2.0}).value
    True
    """

    def __init__(self, task: Task, role: Role):
        self.role: Role = role
        self.made_of = task.model
        self.version: str | None = None
        self.since = 0
        self.updates = 0
        self.model = build(task.model, task.kind)
        self.scoreboard = Scoreboard(task.kind, of_labels=role == "baseline", costs=task.costs)
        self.errors, self.scores = watches(task, role)
        self.rate = Rate()
        self.sampling = sampling_of(task.model)
        self.cutoff: Cutoff | QuantileCutoff | LowestCost | None = None
        self.decide_as(task)
        self.broken = False  # True once a prediction was not finite, so that only the first one raises an alert
        self._regression = task.kind == "regression"
        self.is_brief = False
        self.answer_as(task)
        self._binary = task.kind == "binary"
        self._own = OwnAnswers(task) if ":" in task.model_name else None

    def predict(self, features: dict[str, Value]) -> Prediction | None:
        """Return the model's prediction; None while the model is cold. Predicting does not change a model of the catalogue.

        Raises
        ------
        ModelError
            A user's own model predicts a value that this kind of task does not allow. Such a model may also raise any other error.
        """
        if self._own is not None:
            prediction = self._own.prediction(self.model, features)
        elif self.is_brief:
            value = self.model.predict_one(features)
            return None if value is None else Prediction(value)
        elif self.scoreboard.kind == "anomaly":
            score = self.model.score_one(features)
            prediction = None if score is None else Prediction(score, score=score)
        else:
            probabilities = self.model.predict_proba_one(features)
            prediction = Prediction.of_classes(probabilities) if probabilities else None
        if self.sampling is not None and prediction is not None and prediction.probabilities is not None:
            prediction = self.sampling.correct_prediction(prediction)
        if self.cutoff is None or prediction is None:
            return prediction
        return self.cutoff.decide_on(prediction)

    def score(self, prediction: Prediction | None, label: Label, name: str = "champion") -> list[Notice]:
        """Score a prediction of the model against its label; return what the detectors of this arm, of that name, notice in its error."""
        if prediction is None:
            return []
        board = self.scoreboard
        board.update(label, prediction)
        if isinstance(self.cutoff, Cutoff):
            self.cutoff.update(board.window[-1])
        if not self.errors:
            return []
        # The squared errors of a diverging regression would make a detector's window infinite for ever.
        if self._regression:
            error = min(abs(number(label) - number(prediction.value)), LARGEST)
        else:
            error = 0.0 if prediction.value == label else 1.0
        return [notice for watch in self.errors.values() if (notice := watch.update(error, name)) is not None]

    def see_score(self, score: float) -> None:
        """Count the score of a record that came, if the threshold is a quantile of the scores."""
        if isinstance(self.cutoff, QuantileCutoff):
            self.cutoff.see(score)

    def watch_score(self, prediction: Prediction, name: str) -> list[Notice]:
        """Give a prediction to the detectors that need no label; return what they notice."""
        if self._regression or prediction.score is not None:
            number_ = number(prediction.value) if prediction.score is None else prediction.score
            score = max(min(number_, LARGEST), -LARGEST)
        else:
            probabilities = prediction.probabilities or {}
            score = probabilities.get(True if self._binary else prediction.value, 0.0)
        return [notice for watch in self.scores.values() if (notice := watch.update(score, name)) is not None]

    def learn(self, features: dict[str, Value], label: Label | None) -> None:
        """Update the model with one labelled sample, or with features alone if it learns without labels; a frozen arm learns nothing."""
        if self.role == "frozen":
            return
        self.updates += 1
        self._learn(features, label)

    def rehearse(self, features: dict[str, Value], label: Label | None) -> None:
        """Update the model with a sample that it has learned before; it does not count as an update, and a baseline does not need it."""
        if self.role not in ("frozen", "baseline"):
            self._learn(features, label)

    def _learn(self, features: dict[str, Value], label: Label | None) -> None:
        times = 1 if self.sampling is None or label is None else self.sampling.times(label)
        if not times:
            return
        usual = self.rate.apply(self.model) if self.rate.left else None
        if label is None:
            self.model.learn_one(features)
        else:
            for _ in range(times):
                self.model.learn_one(features, label)
        if usual is not None:
            self.rate.restore(self.model, usual)

    def learn_mean(self, rows: Sequence[LabelledFeatures]) -> None:
        """Update the model by one step along the mean gradient of these rows; a frozen arm learns nothing."""
        if self.role == "frozen":
            return
        self.updates += len(rows)
        usual = self.rate.apply(self.model) if self.rate.left else None
        if self.sampling is not None:
            rows = [row for row in rows for _ in range(self.sampling.times(row.label))]
        if rows:
            self.model.learn_mean(rows)
        self.rate.restore(self.model, usual)

    def replace(self, task: Task, model: Any, version: str | None, updates: int, since: int) -> None:
        """Put another model in the place of this arm's own.

        Its metrics over all of the log go on, since they count what was answered; those of the window, detectors and cutoff start anew.

        Parameters
        ----------
        task
            What the model was made for.
        model
            The model; it must not be anyone else's.
        version, updates, since
            As the attributes.
        """
        self.made_of, self.model, self.version, self.updates = task.model, model, version, updates
        self.since = since
        self.scoreboard.window.clear()
        if isinstance(self.cutoff, Cutoff | QuantileCutoff):
            self.cutoff.restart()
        self.errors, self.scores = watches(task, self.role)
        self.rate = Rate()
        self.sampling = sampling_of(task.model)
        self.broken = False
        self._own = OwnAnswers(task) if ":" in task.model_name else None

    def decide_as(self, task: Task) -> None:
        """Decide by the task's threshold or costs from now on; without them, for what is most probable. A baseline always does that."""
        self.cutoff = None
        if self.role != "baseline":
            threshold = task.threshold
            if isinstance(threshold, Threshold) and threshold.quantile is not None:
                self.cutoff = QuantileCutoff(threshold.quantile)
            elif threshold is not None:
                self.cutoff = Cutoff(threshold)
            elif task.costs:
                self.cutoff = LowestCost(task.costs)

    def answer_as(self, task: Task) -> None:
        """Predict with probabilities from now on, or without, as the task compares them."""
        self.is_brief = self._regression or (self.role == "baseline" and not task.compares_probabilities)

    def watch_anew(self, task: Task, role: Role | None = None) -> None:
        """Begin with new detectors, those that the task wants for an arm of this role."""
        self.role = role or self.role
        self.errors, self.scores = watches(task, self.role)

    @property
    def threshold(self) -> float | None:
        """The probability, or the score, from which on true is predicted; None if the arm has none."""
        return None if self.cutoff is None or isinstance(self.cutoff, LowestCost) else self.cutoff.at

    @property
    def has_fixed_cutoff(self) -> bool:
        """Whether what is predicted follows from the probability of true alone, whatever was predicted before."""
        return self.cutoff is None or (isinstance(self.cutoff, Cutoff) and self.cutoff.tally is None)

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
            "threshold": self.threshold,
            "metrics": self.scoreboard.values(),
        }


def watches(task: Task, role: Role) -> tuple[dict[str, Watch], dict[str, Watch]]:
    """Make the detectors of an arm: those of its error, and those of its predictions."""
    mine = [one for one in watchings(task) if role == "champion" or (one.every_arm and role == "challenger")]
    errors = {one.name: Watch("error", one.spec) for one in mine if "error" in one.watched}
    return errors, {one.name: Watch("score", one.spec) for one in mine if "score" in one.watched}

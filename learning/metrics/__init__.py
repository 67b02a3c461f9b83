"""Metrics: figures over all scored predictions, and over a moving window of the last ones."""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from headrace.learning.catalogue import KindCatalogue
from headrace.learning.metrics.accuracy import accuracy
from headrace.learning.metrics.balanced_accuracy import balanced_accuracy
from headrace.learning.metrics.brier_score import brier_score
from headrace.learning.metrics.cohen_kappa import cohen_kappa
from headrace.learning.metrics.cost import mean_cost, total_cost
from headrace.learning.metrics.ece import ece
from headrace.learning.metrics.f1 import f1, macro_f1
from headrace.learning.metrics.log_loss import cross_entropy, log_loss
from headrace.learning.metrics.mae import mae
from headrace.learning.metrics.mcc import mcc
from headrace.learning.metrics.pr_auc import pr_auc
from headrace.learning.metrics.precision import macro_precision, precision
from headrace.learning.metrics.quantile_loss import quantile_loss
from headrace.learning.metrics.r2 import r2
from headrace.learning.metrics.recall import macro_recall, recall
from headrace.learning.metrics.rmse import rmse
from headrace.learning.metrics.roc_auc import roc_auc
from headrace.learning.metrics.tallies import (
    Confusion,
    Costs,
    Decisions,
    Errors,
    LabelLoss,
    Probabilities,
    Scored,
    Table,
    Tally,
)
from headrace.learning.metrics.tallies.probabilities import LEAST, MOST
from headrace.learning.prediction import Prediction, number
from headrace.learning.tags import tagged
from headrace.learning.task import Cost, Json, Kind, Label

WINDOW = 1_000
"""The number of scored predictions in the moving window."""


class Metric(NamedTuple):
    """A metric: one figure that is read from a tally of scored predictions.

    Parameters
    ----------
    tally
        The class of the tally. An arm has one tally of each class that its metrics read.
    read
        Computes the figure from the tally's view; NaN while there is none. It is called only after the first prediction, and changes nothing.
    """

    tally: type[Tally]
    read: Callable[[Any], float]


def decided(read: Callable[[Table], float]) -> Callable[[Table], float]:
    """Read a figure from decisions; NaN while there is none, since the task has no threshold."""
    return lambda table: read(table) if table.total else math.nan


METRICS: KindCatalogue[Metric] = KindCatalogue(
    "metric",
    {
        "accuracy": {"binary": Metric(Confusion, accuracy), "multiclass": Metric(Confusion, accuracy)},
        "log_loss": {"binary": Metric(Probabilities, log_loss), "multiclass": Metric(LabelLoss, cross_entropy)},
        "f1": {
            "binary": Metric(Confusion, f1),
            "multiclass": Metric(Confusion, macro_f1),
            "anomaly": Metric(Decisions, decided(f1)),
        },
        "mae": {"regression": Metric(Errors, mae)},
        "rmse": {"regression": Metric(Errors, rmse)},
        "r2": {"regression": Metric(Errors, r2)},
        "balanced_accuracy": {
            "binary": Metric(Confusion, balanced_accuracy),
            "multiclass": Metric(Confusion, balanced_accuracy),
        },
        "precision": {
            "binary": Metric(Confusion, precision),
            "multiclass": Metric(Confusion, macro_precision),
            "anomaly": Metric(Decisions, decided(precision)),
        },
        "recall": {
            "binary": Metric(Confusion, recall),
            "multiclass": Metric(Confusion, macro_recall),
            "anomaly": Metric(Decisions, decided(recall)),
        },
        "mcc": {"binary": Metric(Confusion, mcc), "multiclass": Metric(Confusion, mcc)},
        "cohen_kappa": {"binary": Metric(Confusion, cohen_kappa), "multiclass": Metric(Confusion, cohen_kappa)},
        "brier_score": {"binary": Metric(Probabilities, brier_score)},
        "ece": {"binary": Metric(Probabilities, ece)},
        "roc_auc": {"binary": Metric(Probabilities, roc_auc), "anomaly": Metric(Probabilities, roc_auc)},
        "pr_auc": {"binary": Metric(Probabilities, pr_auc), "anomaly": Metric(Probabilities, pr_auc)},
        "quantile_loss": {"regression": Metric(Errors, quantile_loss)},
        "total_cost": {"multiclass": Metric(Costs, total_cost)},
        "mean_cost": {"multiclass": Metric(Costs, mean_cost)},
    },
)
"""Each metric of an arm, for each kind of task that it fits. The order in which their tallies come is part of the state."""


MAIN: dict[Kind, str] = {"binary": "accuracy", "multiclass": "accuracy", "regression": "mae", "anomaly": "roc_auc"}
"""The metric of each kind of task that is shown where there is room for one."""


def new_tallies(kind: Kind, *, of_labels: bool = False, costs: Sequence[Cost] = ()) -> dict[str, Tally]:
    """Make the tallies that the metrics of a kind of task read, by name.

    Parameters
    ----------
    kind
        The kind of task.
    of_labels
        Leaves out those that need probabilities.
    costs
        What errors cost. If nothing is said of it, there is no tally of costs.

    Examples
    --------
    >>> list(new_tallies("binary")), list(new_tallies("binary", of_labels=True))
    (['confusion', 'probabilities'], ['confusion'])
    """
    classes = dict.fromkeys(metric.tally for metric in METRICS.of_kind(kind).values())
    wanted = [tally for tally in classes if tally is not Costs and not (of_labels and tally.needs_probabilities)]
    tallies: dict[str, Tally] = {tally.name: tally() for tally in wanted}
    if costs:
        tallies[Costs.name] = Costs(costs)
    return tallies


def exact_tallies(tallies: Mapping[str, Tally]) -> dict[str, Tally]:
    """Make the same tallies for as few predictions as a window has: they round nothing."""
    return {name: tally.exact() for name, tally in tallies.items()}


def add_tallies(tallies: Mapping[str, Tally], others: Mapping[str, Tally]) -> None:
    """Add to each tally the one of the same name."""
    for name, tally in tallies.items():
        tally.add(others[name])


def read_figures(kind: Kind, tallies: Mapping[str, Tally], scored: int) -> dict[str, float | None]:
    """Read every metric whose tally is there, by name; None while there is no finite figure.

    Parameters
    ----------
    kind
        The kind of task, which decides the metrics.
    tallies
        The tallies by name.
    scored
        The number of predictions that they have counted.
    """
    metrics = {name: one for name, one in METRICS.of_kind(kind).items() if one.tally.name in tallies}
    if not scored:
        return dict.fromkeys(metrics)
    views = {name: tally.view() for name, tally in tallies.items()}
    figures = {name: metric.read(views[metric.tally.name]) for name, metric in metrics.items()}
    return {name: figure if math.isfinite(figure) else None for name, figure in figures.items()}


@tagged("scoreboard/3")
class Scoreboard:
    """The scored predictions of an arm: tallies of the whole log, and the last ones as they were. Metrics are computed when they are read.

    The tallies count what was answered under the arm's name, whatever model it had; the window has the last predictions of its model of now.

    Parameters
    ----------
    kind
        The kind of task, which decides the metrics.
    of_labels
        Whether only the predicted labels are scored, not their probabilities.
    costs
        What errors cost, in a task that says it.
    since
        The step of the log from which on the predictions under the arm's name count.

    Examples
    --------
    >>> board = Scoreboard("regression")
    >>> board.update(3.0, Prediction(2.0))
    >>> board.update(5.0, Prediction(5.0))
    >>> board.values()["mae"], board.values()["window"]["mae"]
    (0.5, 0.5)
    """

    def __init__(self, kind: Kind, *, of_labels: bool = False, costs: Sequence[Cost] = (), since: int = 0):
        self.kind = kind
        self.of_labels = of_labels
        self.since = since
        self.scored = 0
        self.tallies = new_tallies(kind, of_labels=of_labels, costs=costs)
        self.window: deque[Scored] = deque(maxlen=WINDOW)

    def update(self, label: Label, prediction: Prediction) -> None:
        """Score one prediction of the arm's model against its label."""
        self.window.append(self.count(label, prediction))

    def count(self, label: Label, prediction: Prediction) -> Scored:
        """Score one prediction that another model has made in this place: it counts among all, and not in the window; return what was scored."""
        self.scored += 1
        value, probabilities = prediction.value, prediction.probabilities
        p = (
            prediction.score
            if probabilities is None or self.of_labels
            else probabilities.get(True if self.kind == "binary" else label)
        )
        if p is not None and not 0.0 <= p <= 1.0:  # a user's own model may answer with any number, or with none
            p = 1.0 if p > 1.0 else 0.0
        for tally in self.tallies.values():
            tally.update(label, value, p)
        # Only the plain values that the metrics need, because every snapshot holds a thousand of them.
        return label, value, p

    def price(self, costs: Sequence[Cost]) -> None:
        """Count by other costs from now on, also what was scored before; by none if there are none."""
        self.tallies.pop(Costs.name, None)
        confusion = self.tallies.get(Confusion.name)
        if costs and isinstance(confusion, Confusion):
            priced = self.tallies[Costs.name] = Costs(costs)
            priced.count_all(confusion.counts)

    def change_places(self, other: "Scoreboard") -> None:
        """Go on counting where the other scoreboard is, and have it go on here: their arms change places. The windows stay with the models."""
        for name in ("since", "scored", "tallies"):
            ours, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, theirs)
            setattr(other, name, ours)

    def figures(self) -> dict[str, float | None]:
        """Give every metric over all of the log, by name; None while there is no finite figure."""
        return read_figures(self.kind, self.tallies, self.scored)

    def recent(self) -> dict[str, Tally]:
        """Return exact tallies of the moving window."""
        tallies = exact_tallies(self.tallies)
        for tally in tallies.values():
            tally.update_many(self.window)
        return tallies

    def figure(self, name: str) -> float | None:
        """Give a metric over all of the log; None if a task of this kind has no such metric, or while there is no finite figure."""
        metric = METRICS.of_kind(self.kind).get(name)
        if metric is None or metric.tally.name not in self.tallies or not self.scored:
            return None
        figure = metric.read(self.tallies[metric.tally.name].view())
        return figure if math.isfinite(figure) else None

    def recent_error(self) -> float | None:
        """Give the mean error over the moving window: the share of wrong classes, or the mean absolute error; None while it is empty."""
        if not self.window:
            return None
        if self.kind == "anomaly":  # what was not decided has no error
            errors = [float(label != value) for label, value, _ in self.window if isinstance(value, bool)]
        elif self.kind == "regression":
            errors = [abs(number(label) - number(value)) for label, value, _ in self.window]
        else:
            errors = [float(label != value) for label, value, _ in self.window]
        if not errors:
            return None
        mean = sum(errors) / len(errors)
        return mean if math.isfinite(mean) else None

    def recent_loss(self) -> float | None:
        """Give the mean log loss over the moving window; None while it is empty, and where no probabilities are scored.

        It takes a small part of the time of `values`, so it can be read often.
        """
        if (
            self.kind == "anomaly"
            or not self.window
            or not any(tally.needs_probabilities for tally in self.tallies.values())
        ):
            return None
        if self.kind == "binary":  # the window has the probability of true for two classes, of the label for more
            given = (p or 0.0 if label else 1 - (p or 0.0) for label, _, p in self.window)
        else:
            given = (1.0 if p is None else p for _, _, p in self.window)
        return float(-np.log(np.fromiter(given, float).clip(LEAST, MOST)).mean())

    def recent_figures(self) -> dict[str, float | None]:
        """Give every metric over the moving window, by name; None while there is no finite figure."""
        return read_figures(self.kind, self.recent(), len(self.window))

    def values(self) -> dict[str, Json]:
        """Return every metric by name, and those of the moving window as `window`; a metric without a finite figure is None."""
        return self.figures() | {"window": self.recent_figures()}


@tagged("served-scores/2")
class ServedScores:
    """The scores of the predictions that users were served, which are labels without probabilities.

    Examples
    --------
    >>> scores = ServedScores("regression")
    >>> scores.update(3.0, 2.0)
    >>> scores.values()
    {'scored': 1, 'mae': 1.0, 'rmse': 1.0, 'r2': 0.0, 'quantile_loss': 0.5}
    """

    def __init__(self, kind: Kind):
        self.kind = kind
        self.scored = 0
        self.tallies = new_tallies(kind, of_labels=True)

    def update(self, label: Label, value: Label) -> None:
        """Score a served prediction against its label."""
        self.scored += 1
        for tally in self.tallies.values():
            tally.update(label, value, None)

    def add(self, other: "ServedScores") -> None:
        """Count all predictions of another shard too."""
        self.scored += other.scored
        add_tallies(self.tallies, other.tallies)

    def values(self) -> dict[str, float | None]:
        """Return the number of scored predictions, and every metric by name; a metric without a finite figure is None."""
        return {"scored": self.scored} | read_figures(self.kind, self.tallies, self.scored)

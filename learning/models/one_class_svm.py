"""A one-class SVM: learns where most records lie, and scores a record by how far outside it is."""

import math
import random
from typing import Annotated

from msgspec import Meta
from river import anomaly, optim

from headrace.learning.models.detecting import PreparedDetector
from headrace.learning.models.preparing import Numbers, Scale
from headrace.learning.parameters import Level, Positive, Seed
from headrace.learning.tags import tagged

WaveCount = Annotated[int, Meta(ge=1, le=200)]

NAMES_MAX = 1_000
"""The most features that have waves, so that a model does not grow for ever. Later ones count for nothing."""


@tagged("one-class/1", frequencies=dict[str, list[float]])
class OneClass(anomaly.OneClassSVM):
    """River's one-class SVM behind its `RBFSampler`, which is not changed by what it is asked; the score is turned around, and lies between 0 and 1.

    River's score is high where many records lie. Here it is `mean / (mean + score)`, with the mean of the scores of the records learned so
    far: 0.5 for a usual record, and 1 where no record has been.

    Parameters
    ----------
    gamma, waves, seed
        As `gamma`, `n_components` and `seed` of `river.feature_extraction.RBFSampler`.
    nu, optimizer
        As for `river.anomaly.OneClassSVM`.

    Attributes
    ----------
    frequencies
        The frequencies of the waves of each feature that was learned.
    count, mean
        The number of records learned, and the mean of their scores by River.
    """

    def __init__(
        self,
        nu: float = 0.1,
        optimizer: optim.base.Optimizer | None = None,
        gamma: float = 0.1,
        waves: int = 50,
        seed: int = 42,
    ):
        super().__init__(nu=nu, optimizer=optimizer, intercept_lr=0.0)
        self.gamma, self.waves, self.seed = gamma, waves, seed
        self.rng = random.Random(seed)
        self.offsets = [self.rng.uniform(0, 2 * math.pi) for _ in range(waves)]
        self.frequencies: dict[str, list[float]] = {}
        self.count, self.mean = 0, 0.0

    def learn_one(self, x: Numbers) -> None:
        """Draw the waves of new features, and update the weights."""
        for name in x:
            if name not in self.frequencies and len(self.frequencies) < NAMES_MAX:
                self.frequencies[name] = [
                    math.sqrt(2 * self.gamma) * self.rng.gauss(mu=0, sigma=1) for _ in range(self.waves)
                ]
        embedded = self._embed(x)
        self.count += 1
        self.mean += (super().score_one(embedded) - self.mean) / self.count
        super().learn_one(embedded)

    def score_one(self, x: Numbers) -> float | None:
        """Return how strange a record is, from 0 to 1; None before the second record."""
        if self.mean <= 0.0:
            return None
        score: float = super().score_one(self._embed(x))
        return self.mean / (self.mean + max(score, 0.0))

    def _embed(self, x: Numbers) -> dict[str, float]:
        offsets, known = self.offsets, self.frequencies
        return {
            f"{place} {name}": math.cos(value * frequency + offsets[place])
            for name, value in x.items()
            if name in known
            for place, frequency in enumerate(known[name])
        }


def one_class_svm(
    nu: Level = 0.1, learning_rate: Positive = 0.001, gamma: Positive = 0.1, waves: WaveCount = 50, seed: Seed = 42
) -> PreparedDetector:
    """Make a one-class SVM with an RBF kernel for each feature, on scaled numbers: smooth, and dearer than half-space trees.

    Parameters
    ----------
    nu
        About the share of records that are strange.
    learning_rate
        How fast the weights change. Many features need a lower rate.
    gamma
        The width of the kernel: the larger, the nearer must a record be to others to be usual.
    waves
        The waves by which the kernel of each feature is approximated.
    seed
        Seed of the waves.

    Examples
    --------
    >>> model = one_class_svm()
    >>> for number in range(2_000):
    ...     model.learn_one({"size": float(number % 10)})
    >>> round(model.score_one({"size": 5.0}), 2), round(model.score_one({"size": 30.0}), 2)
    (0.49, 1.0)

    References
    ----------
    `river.anomaly.OneClassSVM`, `river.feature_extraction.RBFSampler`; Rahimi and Recht, "Random features for large-scale kernel machines", 2007.
    """
    return PreparedDetector(Scale(), OneClass(nu, optim.SGD(learning_rate), gamma, waves, seed))

"""Mondrian forests: random trees that grow with the data and choose splits without the labels."""

from collections.abc import Collection
from typing import Annotated

from msgspec import Meta
from river import forest
from river.forest.aggregated_mondrian_forest import AMFLearner

from headrace.learning.models.classes import Classes
from headrace.learning.models.preparing import Numbers, OneHot, Prepared, Scale
from headrace.learning.parameters import Seed, Trees
from headrace.learning.tags import tagged
from headrace.learning.task import Label

MEGABYTES = 20
"""The default bound of a forest's state. It takes four to five times as much RAM, and a snapshot of it takes a worker seconds."""

Megabytes = Annotated[int, Meta(ge=1, le=10_000)]

NODE_BYTES, FEATURE_BYTES, CLASS_BYTES = 150, 28, 5
"""The bytes of a node in a state, and the additional bytes for each feature and class that were met (`benchmarks/growth.py`)."""


class BoundedForest(AMFLearner):
    """A mixin that bounds the state of River's forest by the number of its nodes; below the bound it is River's forest to the bit.

    Every node keeps the range of every feature, so the number of features decides how many nodes there may be. A tree with that many nodes
    no longer splits, but its nodes still learn from labels. A new feature that would lower the limit below the present number of nodes is
    ignored, in records and in requests.

    Attributes
    ----------
    megabytes
        The bound of the state in megabytes.
    """

    megabytes: int
    _features: dict[str, None]
    _is_full: bool
    _classes: Collection[Label] = ()

    def bound(self, megabytes: int) -> None:
        """Set the bound of a new forest."""
        self.megabytes = megabytes
        self._features = {}
        self._is_full = False
        self.max_nodes = self._limit(0)

    def admitted(self, x: Numbers) -> Numbers:
        """Return the features to learn; new features are admitted while there is room."""
        known = self._features
        if known.keys() >= x.keys():
            return x
        largest = max((tree._n_nodes for tree in self), default=1)  # noqa: SLF001
        for name in x:
            if name not in known:
                if self._limit(len(known) + 1) < largest:
                    self._is_full = True
                    break
                known[name] = None
        self.set_limit()
        return self.known(x)

    def set_limit(self) -> None:
        """Set the limit of every tree's nodes from the features and classes met so far."""
        self.max_nodes = self._limit(len(self._features))
        for tree in self:
            tree.max_nodes = self.max_nodes

    def known(self, x: Numbers) -> Numbers:
        """Return the features to predict from: all of them, until a feature was left out."""
        return {name: value for name, value in x.items() if name in self._features} if self._is_full else x

    def _limit(self, features: int) -> int:
        """Return how many nodes a tree may have, given a number of features and the classes met so far."""
        node = NODE_BYTES + FEATURE_BYTES * features + CLASS_BYTES * len(self._classes)
        return int(self.megabytes * 1_000_000 / (node * self.n_estimators))


@tagged("mondrian-forest/1")
class MondrianForest(BoundedForest, forest.AMFClassifier):
    """River's Mondrian forest, with a bounded state and with classes whose order survives a restart."""

    def __init__(self, n_estimators: int = 10, seed: int | None = None, megabytes: int = MEGABYTES):
        super().__init__(n_estimators=n_estimators, seed=seed)
        self.bound(megabytes)

    def learn_one(self, x: Numbers, y: Label) -> None:
        """Update the trees."""
        if y not in self._classes:
            self._classes.add(y)
            self.set_limit()
        super().learn_one(self.admitted(x), y)

    def predict_proba_one(self, x: Numbers) -> dict[Label, float]:
        """Return the mean of the trees' probabilities; empty before the first record."""
        return super().predict_proba_one(self.known(x))

    @property
    def _classes(self) -> Classes:
        return self._met

    @_classes.setter
    def _classes(self, labels: Collection[Label]) -> None:
        self._met = Classes(labels)


@tagged("mondrian-regressor/1")
class MondrianRegressor(BoundedForest, forest.AMFRegressor):
    """River's Mondrian forest for regression, with a bounded state."""

    def __init__(self, n_estimators: int = 10, seed: int | None = None, megabytes: int = MEGABYTES):
        super().__init__(n_estimators=n_estimators, seed=seed)
        self.bound(megabytes)

    def learn_one(self, x: Numbers, y: float) -> None:
        """Update the trees."""
        super().learn_one(self.admitted(x), y)

    def predict_one(self, x: Numbers) -> float | None:
        """Return the mean of the trees' predictions; None before the first record."""
        return super().predict_one(self.known(x))


def mondrian_forest(n_trees: Trees = 10, seed: Seed = 42, megabytes: Megabytes = MEGABYTES) -> Prepared:
    """Make an aggregated Mondrian forest for classes: accurate and costly, about a millisecond for each record.

    Parameters
    ----------
    n_trees
        The number of trees, 1 to 1,000.
    seed
        The seed of the random numbers, whose generator is part of the state.
    megabytes
        The approximate bound of the state, 1 to 10,000. At the bound the trees no longer split, but their nodes still learn.

    Examples
    --------
    >>> model = mondrian_forest()
    >>> for number in range(100):
    ...     model.learn_one({"size": float(number % 10)}, number % 10 > 4)
    >>> model.predict_one({"size": 7.0})
    True

    References
    ----------
    Mourtada, Gaiffas and Scornet, "AMF: Aggregated Mondrian forests for online learning", 2021; `river.forest.AMFClassifier`.
    """
    return Prepared(OneHot(), MondrianForest(n_trees, seed, megabytes))


def mondrian_regressor(n_trees: Trees = 10, seed: Seed = 42, megabytes: Megabytes = MEGABYTES) -> Prepared:
    """Make an aggregated Mondrian forest for regression, on scaled features.

    Parameters
    ----------
    n_trees, seed, megabytes
        As for `mondrian_forest`.

    Examples
    --------
    >>> model = mondrian_regressor()
    >>> for number in range(300):
    ...     model.learn_one({"size": float(number % 10)}, 3.0 * (number % 10))
    >>> 18 < model.predict_one({"size": 7.0}) < 24
    True

    References
    ----------
    As for `mondrian_forest`; `river.forest.AMFRegressor`.
    """
    return Prepared(Scale(), MondrianRegressor(n_trees, seed, megabytes))

"""Mondrian forests: random trees that grow with the data, without looking at labels for their splits."""

from typing import Annotated, Any

from msgspec import Meta
from river import forest

from headrace.learning.models.classes import Classes
from headrace.learning.models.parameters import Seed, Trees
from headrace.learning.models.preparing import OneHot, Prepared, Scale
from headrace.learning.tags import tagged
from headrace.learning.task import Label

MEGABYTES = 20
"""The default bound of a forest's state. In RAM it is four to five times as much, and a snapshot of it takes seconds of the worker's time."""

Megabytes = Annotated[int, Meta(ge=1, le=10_000)]

NODE_BYTES, FEATURE_BYTES, CLASS_BYTES = 150, 28, 5
"""Of a state: what a node takes, and how much more for each feature and each class that it may have met (`benchmarks/growth.py`)."""


class BoundedForest:
    """Bounds the state of a forest of River's by the number of its nodes; until then it is River's forest to the bit.

    Every node keeps the range of every feature, so how many nodes there may be follows from how many features were met. A tree that
    has as many no longer splits, and the forest takes in no feature for which there would then be too many nodes: it is left out of
    what is learned and asked. What the nodes know of their labels goes on being learned.

    Attributes
    ----------
    megabytes
        The bound.
    """

    megabytes: int
    _features: dict[str, None]
    _is_full: bool
    _classes: Any = ()

    def bound(self, megabytes: int) -> None:
        """Set the bound, of a new forest."""
        self.megabytes = megabytes
        self._features = {}
        self._is_full = False
        self.max_nodes = self._limit(0)

    def admitted(self, x: dict[str, Any]) -> dict[str, Any]:
        """The features that are learned, those that are new being taken in while there is room."""
        known = self._features
        if known.keys() >= x.keys():
            return x
        largest = max((tree._n_nodes for tree in self), default=1)  # type: ignore[attr-defined]  # noqa: SLF001
        for name in x:
            if name not in known:
                if self._limit(len(known) + 1) < largest:
                    self._is_full = True
                    break
                known[name] = None
        self.set_limit()
        return self.known(x)

    def set_limit(self) -> None:
        """Limit the nodes of every tree by the features and classes met."""
        self.max_nodes = self._limit(len(self._features))
        for tree in self:  # type: ignore[attr-defined]
            tree.max_nodes = self.max_nodes

    def known(self, x: dict[str, Any]) -> dict[str, Any]:
        """The features that may be asked for: all of them until one was left out."""
        return {name: value for name, value in x.items() if name in self._features} if self._is_full else x

    def _limit(self, features: int) -> int:
        """How many nodes a tree may have when so many features were met, and these classes."""
        node = NODE_BYTES + FEATURE_BYTES * features + CLASS_BYTES * len(self._classes)
        return int(self.megabytes * 1_000_000 / (node * self.n_estimators))  # type: ignore[attr-defined]


@tagged("mondrian-forest/1")
class MondrianForest(BoundedForest, forest.AMFClassifier):
    """River's forest, bounded, with classes whose order lasts."""

    def __init__(self, n_estimators: int = 10, seed: int | None = None, megabytes: int = MEGABYTES):
        super().__init__(n_estimators=n_estimators, seed=seed)
        self.bound(megabytes)

    def learn_one(self, x: dict[str, Any], y: Label) -> None:
        """Update the trees."""
        if y not in self._classes:
            self._classes.add(y)
            self.set_limit()
        super().learn_one(self.admitted(x), y)

    def predict_proba_one(self, x: dict[str, Any]) -> dict[Label, float]:
        """The trees' mean; empty before the first record."""
        probabilities: dict[Label, float] = super().predict_proba_one(self.known(x))
        return probabilities

    @property
    def _classes(self) -> Classes:
        return self._met

    @_classes.setter
    def _classes(self, labels: set[Label]) -> None:
        self._met = Classes(labels)


@tagged("mondrian-regressor/1")
class MondrianRegressor(BoundedForest, forest.AMFRegressor):
    """River's forest for numbers, bounded."""

    def __init__(self, n_estimators: int = 10, seed: int | None = None, megabytes: int = MEGABYTES):
        super().__init__(n_estimators=n_estimators, seed=seed)
        self.bound(megabytes)

    def learn_one(self, x: dict[str, Any], y: float) -> None:
        """Update the trees."""
        super().learn_one(self.admitted(x), y)

    def predict_one(self, x: dict[str, Any]) -> float | None:
        """The trees' mean; None before the first record."""
        value: float | None = super().predict_one(self.known(x))
        return value


def mondrian_forest(n_trees: Trees = 10, seed: Seed = 42, megabytes: Megabytes = MEGABYTES) -> Prepared:
    """An aggregated Mondrian forest for classes: accurate and dear, about a millisecond a record.

    Parameters
    ----------
    n_trees
        Trees, 1 to 1,000.
    seed
        Of its random numbers, which are part of its state.
    megabytes
        About how large its state may become, 1 to 10,000: then the trees no longer split, but their nodes still learn.

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
    """An aggregated Mondrian forest for numbers, on scaled features.

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

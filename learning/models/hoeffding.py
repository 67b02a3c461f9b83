"""Hoeffding trees: decision trees that split once enough records have been seen to be sure."""

from typing import Any

from river import tree
from river.tree.nodes.branch import DTBranch

from headrace.learning.models.classes import LastingClasses
from headrace.learning.models.parameters import Count, PositiveShare, Seed
from headrace.learning.models.preparing import OneHot, Prepared, Scale
from headrace.learning.tags import tagged
from headrace.learning.task import Label

LEAVES = 10_000
"""A tree with as many leaves no longer grows; looked at once in a million records, as River looks at the size in memory."""


class BoundedTree:
    """Bounds a Hoeffding tree by its leaves, where River does by its size in memory.

    What `sys.getsizeof` says depends on how an object came to be, so a tree that came back from its bytes would go other ways than the
    one that was saved.
    """

    def _estimate_model_size(self) -> None:
        self._growth_allowed = self.n_leaves < LEAVES  # type: ignore[attr-defined]


@tagged("tree-classifier/1")
class TreeClassifier(BoundedTree, LastingClasses, tree.HoeffdingTreeClassifier):
    """River's tree; its labels may be of mixed types."""

    def predict_proba_one(self, x: dict[str, Any]) -> dict[Label, float]:
        """The probabilities of the leaf that the features lead to."""
        return leaf_probabilities(self, x)


@tagged("adaptive-tree-classifier/1")
class AdaptiveTreeClassifier(BoundedTree, LastingClasses, tree.HoeffdingAdaptiveTreeClassifier):
    """River's adaptive tree, with classes whose order lasts."""


@tagged("tree-regressor/1")
class TreeRegressor(BoundedTree, tree.HoeffdingTreeRegressor):
    """River's tree for numbers."""


def leaf_probabilities(model: Any, x: dict[str, Any]) -> dict[Label, float]:
    """River's `HoeffdingTreeClassifier.predict_proba_one`, without sorting the labels on each call."""
    probabilities: dict[Label, float] = dict.fromkeys(model.classes.sorted, 0.0)
    root = model._root  # noqa: SLF001
    if root is not None:
        leaf = root.traverse(x, until_leaf=True) if isinstance(root, DTBranch) else root
        probabilities.update(leaf.prediction(x, tree=model))
    return probabilities


def hoeffding_tree(grace_period: Count = 200, delta: PositiveShare = 1e-7, max_depth: Count | None = None) -> Prepared:
    """The Hoeffding tree (VFDT): for streams that do not change.

    Parameters
    ----------
    grace_period
        Records a leaf sees between two looks for a split, 1 or more.
    delta
        Allowed error of a split decision, above 0 and up to 1.
    max_depth
        Deepest level; None leaves it open.

    Examples
    --------
    >>> model = hoeffding_tree()
    >>> for number in range(500):
    ...     model.learn_one({"size": float(number % 10)}, number % 10 > 4)
    >>> model.predict_one({"size": 7.0})
    True

    References
    ----------
    Domingos and Hulten, "Mining high-speed data streams", 2000; `river.tree.HoeffdingTreeClassifier`.
    """
    return Prepared(OneHot(), TreeClassifier(grace_period=grace_period, delta=delta, max_depth=max_depth))


def hat(
    grace_period: Count = 200, delta: PositiveShare = 1e-7, max_depth: Count | None = None, seed: Seed = 42
) -> Prepared:
    """The Hoeffding adaptive tree: replaces branches whose error rises; for streams that change.

    Parameters
    ----------
    grace_period, delta, max_depth
        As for `hoeffding_tree`.
    seed
        Of its random numbers, which are part of its state.

    Examples
    --------
    >>> model = hat()
    >>> for number in range(500):
    ...     model.learn_one({"size": float(number % 10)}, number % 10 > 4)
    >>> model.predict_one({"size": 7.0})
    True

    References
    ----------
    Bifet and Gavalda, "Adaptive learning from evolving data streams", 2009; `river.tree.HoeffdingAdaptiveTreeClassifier`.
    """
    settings = {"grace_period": grace_period, "delta": delta, "max_depth": max_depth, "seed": seed}
    return Prepared(OneHot(), AdaptiveTreeClassifier(**settings))


def hoeffding_regressor(
    grace_period: Count = 200, delta: PositiveShare = 1e-7, max_depth: Count | None = None
) -> Prepared:
    """A Hoeffding tree for numbers, with a model in every leaf, on scaled features.

    Parameters
    ----------
    grace_period, delta, max_depth
        As for `hoeffding_tree`.

    Examples
    --------
    >>> model = hoeffding_regressor()
    >>> for number in range(500):
    ...     model.learn_one({"size": float(number % 10)}, 3.0 * (number % 10))
    >>> round(model.predict_one({"size": 7.0}))
    21

    References
    ----------
    `river.tree.HoeffdingTreeRegressor`, with the settings of River's own benchmark.
    """
    return Prepared(Scale(), TreeRegressor(grace_period=grace_period, delta=delta, max_depth=max_depth))

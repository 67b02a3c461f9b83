"""Hoeffding trees: decision trees that split once enough records have been seen to be sure."""

from river import tree
from river.tree.hoeffding_tree import HoeffdingTree
from river.tree.nodes.branch import DTBranch

from headrace.learning.models.categories import strings_for_trees
from headrace.learning.models.classes import Classes, LastingClasses
from headrace.learning.models.preparing import Numbers, Prepared, Scale
from headrace.learning.parameters import Count, PositiveShare, Seed
from headrace.learning.tags import tagged
from headrace.learning.task import Label

LEAVES = 10_000
"""The leaves after which a tree no longer grows; checked once in a million records, when River checks the size in memory."""


class BoundedTree(HoeffdingTree):
    """A mixin that bounds a Hoeffding tree by its number of leaves, where River bounds its size in memory.

    `sys.getsizeof` depends on an object's history, so a tree that was loaded could stop growing at another record than the saved one.
    """

    def _estimate_model_size(self) -> None:
        self._growth_allowed = self.n_leaves < LEAVES


class MixedLabels(BoundedTree, LastingClasses, tree.HoeffdingTreeClassifier):
    """The base of trees whose labels may be of mixed types."""

    def predict_proba_one(self, x: Numbers) -> dict[Label, float]:
        """Return the class probabilities of the leaf for these features."""
        return leaf_probabilities(self, self.classes, x)


@tagged("tree-classifier/1")
class TreeClassifier(MixedLabels):
    """River's Hoeffding tree, for labels of mixed types too."""


@tagged("adaptive-tree-classifier/1")
class AdaptiveTreeClassifier(BoundedTree, LastingClasses, tree.HoeffdingAdaptiveTreeClassifier):
    """River's adaptive tree, with classes whose order survives a restart."""


@tagged("fast-tree-classifier/1")
class FastTreeClassifier(MixedLabels, tree.ExtremelyFastDecisionTreeClassifier):
    """River's extremely fast decision tree, for labels of mixed types too."""


@tagged("tree-regressor/1")
class TreeRegressor(BoundedTree, tree.HoeffdingTreeRegressor):
    """River's Hoeffding tree for regression."""


def leaf_probabilities(model: tree.HoeffdingTreeClassifier, classes: Classes, x: Numbers) -> dict[Label, float]:
    """Compute River's `HoeffdingTreeClassifier.predict_proba_one` without sorting the labels at each call."""
    probabilities: dict[Label, float] = dict.fromkeys(classes.sorted, 0.0)
    root = model._root  # noqa: SLF001
    if root is not None:
        leaf = root.traverse(x, until_leaf=True) if isinstance(root, DTBranch) else root
        probabilities.update(leaf.prediction(x, tree=model))
    return probabilities


def hoeffding_tree(
    grace_period: Count = 200, delta: PositiveShare = 1e-7, max_depth: Count | None = None, categories: bool = False
) -> Prepared:
    """Make a Hoeffding tree (VFDT), for streams that do not change.

    Parameters
    ----------
    grace_period
        The number of records that a leaf sees between two attempts to split, 1 or more.
    delta
        The allowed error of a split decision, above 0 and up to 1.
    max_depth
        The deepest level; None sets no limit.
    categories
        Whether the tree splits by strings, one branch for each of up to 100 values. Otherwise each value has a column of ones, by which no
        tree can split, and leaves alone go by it.

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
    return Prepared(
        strings_for_trees(categories=categories),
        TreeClassifier(grace_period=grace_period, delta=delta, max_depth=max_depth),
    )


def hat(
    grace_period: Count = 200,
    delta: PositiveShare = 1e-7,
    max_depth: Count | None = None,
    seed: Seed = 42,
    categories: bool = False,
) -> Prepared:
    """Make a Hoeffding adaptive tree, which replaces branches whose error rises: for streams that change.

    Parameters
    ----------
    grace_period, delta, max_depth
        As for `hoeffding_tree`.
    seed
        The seed of the random numbers, whose generator is part of the state.
    categories
        As for `hoeffding_tree`.

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
    tree = AdaptiveTreeClassifier(grace_period=grace_period, delta=delta, max_depth=max_depth, seed=seed)
    return Prepared(strings_for_trees(categories=categories), tree)


def efdt(
    grace_period: Count = 200,
    delta: PositiveShare = 1e-7,
    min_samples_reevaluate: Count = 20,
    max_depth: Count | None = None,
    categories: bool = False,
) -> Prepared:
    """Make an extremely fast decision tree, which splits early and takes a split back when a better one is seen.

    Parameters
    ----------
    grace_period, delta, max_depth
        As for `hoeffding_tree`.
    min_samples_reevaluate
        The number of records between two looks at a split that was made.
    categories
        As for `hoeffding_tree`.

    Examples
    --------
    >>> model = efdt()
    >>> for number in range(500):
    ...     model.learn_one({"size": float(number % 10)}, number % 10 > 4)
    >>> model.predict_one({"size": 7.0})
    True

    References
    ----------
    Manapragada, Webb and Salehi, "Extremely fast decision tree", 2018; `river.tree.ExtremelyFastDecisionTreeClassifier`.
    """
    tree = FastTreeClassifier(
        grace_period=grace_period, delta=delta, min_samples_reevaluate=min_samples_reevaluate, max_depth=max_depth
    )
    return Prepared(strings_for_trees(categories=categories), tree)


def hoeffding_regressor(
    grace_period: Count = 200, delta: PositiveShare = 1e-7, max_depth: Count | None = None
) -> Prepared:
    """Make a Hoeffding tree for regression, with a model in every leaf, on scaled features.

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

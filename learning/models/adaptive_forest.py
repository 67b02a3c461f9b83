"""The adaptive random forest."""

from typing import Any

from river import forest
from river.forest.adaptive_random_forest import BaseTreeClassifier

from headrace.learning.models.categories import strings_for_trees
from headrace.learning.models.hoeffding import MixedLabels
from headrace.learning.models.preparing import Numbers, Prepared
from headrace.learning.parameters import Seed, Trees
from headrace.learning.tags import tagged
from headrace.learning.task import Label


@tagged("forest-tree/1")
class ForestTree(MixedLabels, BaseTreeClassifier):
    """The tree of River's forest, for labels of mixed types too."""


@tagged("adaptive-forest/1")
class AdaptiveForest(forest.ARFClassifier):
    """River's forest, unaffected by requests and by records without features.

    The number of features that a tree considers depends on the number of features. River takes it from the first features that it sees,
    also from those of a request, and also if there are none. This class takes it from the first learned record that has features.
    """

    def learn_one(self, x: Numbers, y: Label, **kwargs: Any) -> None:
        """Update the trees."""
        if x or len(self):
            super().learn_one(x, y, **kwargs)

    def predict_proba_one(self, x: Numbers, **kwargs: Any) -> dict[Label, float]:
        """Return the trees' weighted vote; empty before the first record."""
        return super().predict_proba_one(x, **kwargs) if len(self) else {}

    def _new_base_model(self) -> ForestTree:
        names = ("max_features", "grace_period", "split_criterion", "delta", "tau", "leaf_prediction", "nb_threshold",
                 "nominal_attributes", "splitter", "max_depth", "binary_split", "min_branch_fraction", "max_share_to_split",
                 "max_size", "memory_estimate_period", "stop_mem_management", "remove_poor_attrs", "merit_preprune")  # fmt: skip
        return ForestTree(**{name: getattr(self, name) for name in names}, rng=self._rng)


def arf(n_trees: Trees = 10, seed: Seed = 42, categories: bool = False) -> Prepared:
    """Make an adaptive random forest: Hoeffding trees on resampled records, each with a drift detector and a background tree.

    Parameters
    ----------
    n_trees
        The number of trees, 1 to 1,000.
    seed
        The seed of the random numbers, whose generator is part of the state.
    categories
        As for `hoeffding_tree`: whether the trees split by strings.

    Examples
    --------
    >>> model = arf()
    >>> for number in range(500):
    ...     model.learn_one({"size": float(number % 10)}, number % 10 > 4)
    >>> model.predict_one({"size": 7.0})
    True

    References
    ----------
    Gomes et al., "Adaptive random forests for evolving data stream classification", 2017; `river.forest.ARFClassifier`.
    """
    return Prepared(strings_for_trees(categories=categories), AdaptiveForest(n_models=n_trees, seed=seed))

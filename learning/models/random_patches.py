"""Streaming random patches: trees on resampled records, each with some of the features."""

from typing import Any

from river import ensemble

from headrace.learning.models.hoeffding import TreeClassifier
from headrace.learning.models.preparing import Numbers, OneHot, Prepared
from headrace.learning.parameters import Seed, Trees
from headrace.learning.tags import tagged
from headrace.learning.task import Label


@tagged("random-patches/1")
class RandomPatches(ensemble.SRPClassifier):
    """River's ensemble, unaffected by requests and by records without features, as it draws the features of its trees from the first that it sees."""

    def learn_one(self, x: Numbers, y: Label, **kwargs: Any) -> None:
        """Update the trees."""
        if x or len(self):
            super().learn_one(x, y, **kwargs)

    def predict_proba_one(self, x: Numbers, **kwargs: Any) -> dict[Label, float]:
        """Return the trees' weighted vote; empty before the first record."""
        return super().predict_proba_one(x, **kwargs) if len(self) else {}


def srp(n_trees: Trees = 10, seed: Seed = 42) -> Prepared:
    """Make streaming random patches: each tree sees 60 % of the features, and is replaced when its error rises.

    Parameters
    ----------
    n_trees
        The number of trees, 1 to 1,000.
    seed
        The seed of the random numbers, whose generator is part of the state.

    Examples
    --------
    >>> model = srp()
    >>> for number in range(500):
    ...     model.learn_one({"size": float(number % 10), "weight": 1.0}, number % 10 > 4)
    >>> model.predict_one({"size": 7.0, "weight": 1.0})
    True

    References
    ----------
    Gomes, Read and Bifet, "Streaming random patches for evolving data stream classification", 2019; `river.ensemble.SRPClassifier`.
    """
    return Prepared(OneHot(), RandomPatches(TreeClassifier(), n_models=n_trees, seed=seed))

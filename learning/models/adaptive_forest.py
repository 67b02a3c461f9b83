"""The adaptive random forest."""

from river import forest

from learning.models.preparing import OneHot, Prepared


def arf(n_trees: int = 10, seed: int = 42) -> Prepared:
    """Hoeffding trees on resampled records, each with a drift detector and a tree that waits to replace it.

    Parameters
    ----------
    n_trees
        Trees, 1 or more.
    seed
        Of its random numbers, which are part of its state.

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
    return Prepared(OneHot(), forest.ARFClassifier(n_models=n_trees, seed=seed))

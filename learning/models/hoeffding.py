"""Hoeffding trees: decision trees that split once enough records have been seen to be sure."""

from river import tree

from learning.models.preparing import OneHot, Prepared, Scale


def hoeffding_tree(grace_period: int = 200, delta: float = 1e-7, max_depth: int | None = None) -> Prepared:
    """The Hoeffding tree (VFDT): for streams that do not change.

    Parameters
    ----------
    grace_period
        Records a leaf sees between two looks for a split, 1 or more.
    delta
        Allowed error of a split decision, 0 to 1.
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
    return Prepared(OneHot(), tree.HoeffdingTreeClassifier(grace_period=grace_period, delta=delta, max_depth=max_depth))


def hat(grace_period: int = 200, delta: float = 1e-7, max_depth: int | None = None, seed: int = 42) -> Prepared:
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
    return Prepared(OneHot(), tree.HoeffdingAdaptiveTreeClassifier(**settings))


def hoeffding_regressor(grace_period: int = 200, delta: float = 1e-7, max_depth: int | None = None) -> Prepared:
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
    return Prepared(Scale(), tree.HoeffdingTreeRegressor(grace_period=grace_period, delta=delta, max_depth=max_depth))

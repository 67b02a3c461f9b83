"""Online bagging: trees that each learn every record a random number of times."""

from river import ensemble

from headrace.learning.models.hoeffding import TreeClassifier, TreeRegressor
from headrace.learning.models.preparing import OneHot, Prepared, Scale
from headrace.learning.parameters import Seed, SeveralTrees


def bagging(n_trees: SeveralTrees = 10, seed: Seed = 42) -> Prepared:
    """Make a bag of Hoeffding trees: steadier than one tree, for streams that do not change.

    Parameters
    ----------
    n_trees
        The number of trees, 2 to 1,000.
    seed
        The seed of the random numbers, whose generator is part of the state.

    Examples
    --------
    >>> model = bagging()
    >>> for number in range(500):
    ...     model.learn_one({"size": float(number % 10)}, number % 10 > 4)
    >>> model.predict_one({"size": 7.0})
    True

    References
    ----------
    Oza and Russell, "Online bagging and boosting", 2001; `river.ensemble.BaggingClassifier`.
    """
    return Prepared(OneHot(), ensemble.BaggingClassifier(TreeClassifier(), n_models=n_trees, seed=seed))


def bagging_regressor(n_trees: SeveralTrees = 10, seed: Seed = 42) -> Prepared:
    """Make a bag of Hoeffding trees for regression, on scaled features. See `bagging` for the parameters.

    Examples
    --------
    >>> model = bagging_regressor()
    >>> for number in range(500):
    ...     model.learn_one({"size": float(number % 10)}, 3.0 * (number % 10))
    >>> round(model.predict_one({"size": 7.0}))
    21
    """
    return Prepared(Scale(), ensemble.BaggingRegressor(TreeRegressor(), n_models=n_trees, seed=seed))

"""Logistic regression by FTRL-Proximal, the usual learner of click rates."""

from river import linear_model, optim

from headrace.learning.models.preparing import Prepared, Scale
from headrace.learning.parameters import NotNegative, Positive


def ftrl(alpha: Positive = 0.05, beta: Positive = 1.0, l1: NotNegative = 0.0, l2: NotNegative = 1.0) -> Prepared:
    """Make a logistic regression with a learning rate of its own for each weight, for very many features that are mostly absent.

    Parameters
    ----------
    alpha
        The size of the first steps, above 0. The steps of a weight become smaller with each record that has its feature.
    beta
        How soon they become smaller, above 0: later if it is larger.
    l1
        The strength of the L1 penalty, 0 or more. With it, weights that say little are exactly 0.
    l2
        The strength of the L2 penalty, 0 or more.

    Examples
    --------
    >>> model = ftrl()
    >>> for number in range(500):
    ...     model.learn_one({"site": f"s{number % 10}"}, number % 10 > 4)
    >>> model.predict_one({"site": "s7"})
    True

    References
    ----------
    McMahan et al., "Ad click prediction: a view from the trenches", 2013; `river.optim.FTRLProximal`.
    """
    optimizer = optim.FTRLProximal(alpha=alpha, beta=beta, l1=l1, l2=l2)
    return Prepared(Scale(), linear_model.LogisticRegression(optimizer, intercept_lr=alpha))

"""Logistic regression by stochastic gradient descent."""

from river import linear_model

from headrace.learning.models.descent import UNCLIPPED, Clip, descent
from headrace.learning.models.preparing import Prepared, Scale
from headrace.learning.parameters import NotNegative, Positive, Share


def logistic(
    learning_rate: Positive = 0.005, l2: NotNegative = 0.0, momentum: Share = 0.0, clip: Clip = UNCLIPPED
) -> Prepared:
    """Make a logistic regression on scaled features: fast, stable, with well calibrated probabilities.

    Parameters
    ----------
    learning_rate
        The step size of the gradient descent, above 0.
    l2
        The strength of the L2 penalty on the weights, 0 or more.
    momentum
        The share of a weight's last step that is added to the next, from 0 to below 1.
    clip
        The largest gradient of the loss, above 0: against single wild labels.

    Examples
    --------
    >>> from river import datasets, evaluate, metrics
    >>> rows = ((x, y) for x, y in datasets.Phishing())
    >>> model, accuracy = logistic(), metrics.Accuracy()
    >>> for x, y in rows:
    ...     accuracy.update(y, model.predict_proba_one(x)[True] > 0.5)
    ...     model.learn_one(x, y)
    >>> f"{accuracy.get():.6f}"
    '0.887200'

    References
    ----------
    `river.linear_model.LogisticRegression`, with the settings of River's own benchmark.
    """
    optimizer = descent(learning_rate, momentum)
    return Prepared(Scale(), linear_model.LogisticRegression(optimizer, l2=l2, clip_gradient=clip))

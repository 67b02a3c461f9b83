"""Softmax regression: logistic regression for more than two classes."""

from river import linear_model, optim

from headrace.learning.models.preparing import Prepared, Scale
from headrace.learning.parameters import NotNegative, Positive


def softmax(learning_rate: Positive = 0.01, l2: NotNegative = 0.0) -> Prepared:
    """Make a softmax regression on scaled features; new classes may come at any time.

    Parameters
    ----------
    learning_rate
        The step size of the gradient descent, above 0.
    l2
        The strength of the L2 penalty on the weights, 0 or more.

    Examples
    --------
    >>> model = softmax()
    >>> for _ in range(10):
    ...     for number, label in enumerate(["low", "mid", "high"]):
    ...         model.learn_one({"size": float(number)}, label)
    >>> model.predict_one({"size": 2.0})
    'high'

    References
    ----------
    `river.linear_model.SoftmaxRegression`.
    """
    return Prepared(Scale(), linear_model.SoftmaxRegression(optim.SGD(learning_rate), l2=l2))

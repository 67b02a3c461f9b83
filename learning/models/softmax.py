"""Softmax regression: logistic regression for more than two classes."""

from river import linear_model, optim

from headrace.learning.models.parameters import NotNegative, Positive
from headrace.learning.models.preparing import Prepared, Scale


def softmax(learning_rate: Positive = 0.01, l2: NotNegative = 0.0) -> Prepared:
    """Scaled features into a softmax regression; classes are met as they come.

    Parameters
    ----------
    learning_rate
        Step of the gradient descent, above 0.
    l2
        Pull of the weights towards 0, 0 or more.

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

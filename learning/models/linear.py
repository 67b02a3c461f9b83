"""Linear regression by stochastic gradient descent."""

from river import linear_model

from headrace.learning.models.descent import UNCLIPPED, Clip, descent
from headrace.learning.models.preparing import Prepared, Scale
from headrace.learning.parameters import NotNegative, Positive, Share


def linear(
    learning_rate: Positive = 0.01,
    l2: NotNegative = 0.0,
    intercept_learning_rate: NotNegative = 0.01,
    momentum: Share = 0.0,
    clip: Clip = UNCLIPPED,
) -> Prepared:
    """Make a linear regression on scaled features.

    Parameters
    ----------
    learning_rate
        The step size of the gradient descent, above 0.
    l2
        The strength of the L2 penalty on the weights, 0 or more.
    intercept_learning_rate
        The step size for the intercept, which has to find the scale of the labels, 0 or more.
    momentum
        The share of a weight's last step that is added to the next, from 0 to below 1.
    clip
        The largest gradient of the loss, above 0: against single wild labels.

    Examples
    --------
    >>> model = linear()
    >>> for number in range(2000):
    ...     model.learn_one({"size": float(number % 10)}, 3.0 * (number % 10) + 5)
    >>> round(model.predict_one({"size": 4.0}))
    17

    References
    ----------
    `river.linear_model.LinearRegression`, with the settings of River's own benchmark.
    """
    regression = linear_model.LinearRegression(
        descent(learning_rate, momentum), l2=l2, intercept_lr=intercept_learning_rate, clip_gradient=clip
    )
    return Prepared(Scale(), regression)

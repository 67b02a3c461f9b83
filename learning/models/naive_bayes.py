"""Gaussian naive Bayes."""

from river import naive_bayes as river_naive_bayes

from headrace.learning.models.preparing import OneHot, Prepared


def naive_bayes() -> Prepared:
    """Make a Gaussian naive Bayes classifier, which has no parameters and predicts well after few records.

    Examples
    --------
    >>> model = naive_bayes()
    >>> for size, label in [(1.0, False), (1.2, False), (5.0, True), (5.5, True)]:
    ...     model.learn_one({"size": size}, label)
    >>> model.predict_one({"size": 5.2})
    True

    References
    ----------
    `river.naive_bayes.GaussianNB`.
    """
    return Prepared(OneHot(), river_naive_bayes.GaussianNB())

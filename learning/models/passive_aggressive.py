"""Passive-aggressive classification."""

from typing import Literal

from river import linear_model

from headrace.learning.models.preparing import Prepared, Scale
from headrace.learning.parameters import Positive


def pa(c: Positive = 1.0, mode: Literal[0, 1, 2] = 1) -> Prepared:
    """Make a passive-aggressive classifier on scaled features: it takes no step if it is right by a margin, and a full one if not.

    Parameters
    ----------
    c
        The longest step, above 0.
    mode
        0, 1 or 2: PA, PA-I or PA-II.

    Examples
    --------
    >>> model = pa()
    >>> for price, label in [(1.0, False), (3.0, True), (1.0, False), (3.0, True)]:
    ...     model.learn_one({"price": price}, label)
    >>> model.predict_one({"price": 3.0})
    True

    References
    ----------
    Crammer et al., "Online passive-aggressive algorithms", 2006; `river.linear_model.PAClassifier`.
    """
    return Prepared(Scale(), linear_model.PAClassifier(C=c, mode=mode))

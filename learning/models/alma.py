"""The approximate large margin algorithm."""

from typing import Annotated

from msgspec import Meta
from river import linear_model

from headrace.learning.models.preparing import Prepared, Scale
from headrace.learning.parameters import PositiveShare

Order = Annotated[int, Meta(ge=2, le=100)]


def alma(p: Order = 2, alpha: PositiveShare = 0.9) -> Prepared:
    """Make ALMA on scaled features: a linear classifier that learns only from records within its margin.

    Parameters
    ----------
    p
        The order of the norm, 2 to 100.
    alpha
        The aim for the margin, as a share of the largest one: above 0 and up to 1.

    Examples
    --------
    >>> model = alma()
    >>> model.learn_one({"price": 1.0}, True)
    >>> model.predict_one({"price": 1.0})
    False

    References
    ----------
    Gentile, "A new approximate maximal margin classification algorithm", 2001; `river.linear_model.ALMAClassifier`.
    """
    return Prepared(Scale(), linear_model.ALMAClassifier(p=p, alpha=alpha))

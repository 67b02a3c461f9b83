"""The optimizer of the linear models of River: plain gradient descent, or with momentum."""

from typing import Annotated

from msgspec import Meta
from river import optim

UNCLIPPED = 1e12
"""The largest gradient of a model that does not clip, as River has it."""

Clip = Annotated[float, Meta(gt=0, le=UNCLIPPED)]


def descent(learning_rate: float, momentum: float) -> optim.SGD | optim.Momentum:
    """Make the optimizer.

    Examples
    --------
    >>> type(descent(0.01, 0.0)).__name__, type(descent(0.01, 0.9)).__name__
    ('SGD', 'Momentum')
    """
    return optim.Momentum(learning_rate, momentum) if momentum else optim.SGD(learning_rate)

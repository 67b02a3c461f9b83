"""Log loss, for two classes and for more."""

from headrace.learning.metrics.tallies import LabelLoss, ProbabilityLosses


def log_loss(losses: ProbabilityLosses) -> float:
    """The mean of minus the logarithm of the probability given to the label, 0 or more: `river.metrics.LogLoss`.

    Examples
    --------
    >>> losses = ProbabilityLosses()
    >>> losses.update(True, True, 0.9)
    >>> round(log_loss(losses), 6)
    0.105361
    """
    return losses.log


def cross_entropy(loss: LabelLoss) -> float:
    """The log loss for more than two classes: `river.metrics.CrossEntropy`.

    Examples
    --------
    >>> loss = LabelLoss()
    >>> loss.update("b", "b", 0.9)
    >>> round(cross_entropy(loss), 6)
    0.105361
    """
    return loss.log

"""Log loss, for two classes and for more."""

from headrace.learning.metrics.tallies import Groups, LabelLoss


def log_loss(groups: Groups) -> float:
    """The mean of minus the logarithm of the probability given to the label, 0 or more: `river.metrics.LogLoss`.

    Examples
    --------
    >>> from headrace.learning.metrics.tallies import Probabilities
    >>> tally = Probabilities()
    >>> tally.update(True, True, 0.9)
    >>> round(log_loss(tally.view()), 6)
    0.105361
    """
    return groups.log


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

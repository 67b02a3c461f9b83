"""The cutoff of an arm: the probability from which on true is predicted."""

from itertools import accumulate

from headrace.learning.metrics.tallies import Groups
from headrace.learning.tags import tagged
from headrace.learning.task import Threshold

EVERY = 500
"""The cutoff is chosen again after so many scored predictions."""


@tagged("cutoff/1", precision=float | None)
class Cutoff:
    """Decides between true and false by the probability of true. Which cutoff is best is read from the predictions that were scored so far.

    Parameters
    ----------
    threshold
        The cutoff itself, or what it must meet.

    Attributes
    ----------
    at
        The probability from which on true is predicted; 0.5 before the first choice.
    is_chosen
        Whether it is chosen from what came.
    precision, false_positive, false_negative
        As for `Threshold`.

    Examples
    --------
    >>> cutoff = Cutoff(Threshold(false_positive=1, false_negative=5))
    >>> cutoff.choose(Groups(positives=[2, 30, 60], negatives=[300, 80, 10], p=[0.1, 0.4, 0.8]))
    >>> cutoff.at
    0.4
    """

    def __init__(self, threshold: float | Threshold):
        self.is_chosen = isinstance(threshold, Threshold)
        self.at = 0.5
        self.precision: float | None = None
        self.false_positive = self.false_negative = 0.0
        if isinstance(threshold, Threshold):
            self.precision = threshold.precision
            self.false_positive, self.false_negative = threshold.false_positive or 0.0, threshold.false_negative or 0.0
        else:
            self.at = threshold

    def decide(self, p: float) -> bool:
        """Tell whether true is predicted from its probability."""
        return p >= self.at

    def choose(self, groups: Groups) -> None:
        """Choose the cutoff again among the probabilities that came; it stays while true and false have not both come.

        Of several that meet the precision, that which finds the most true labels is chosen; where none does, the one with the highest
        precision. Of several with the lowest cost, the lowest is chosen.
        """
        positives, negatives = sum(groups.positives), sum(groups.negatives)
        if not positives or not negatives:
            return
        ranks: list[tuple[float, float]] = []
        below = zip(accumulate(groups.positives, initial=0), accumulate(groups.negatives, initial=0), strict=True)
        for _, (missed, rejected) in zip(groups.p, below, strict=False):
            found, wrong = positives - missed, negatives - rejected
            if self.precision is None:
                ranks.append((wrong * self.false_positive + missed * self.false_negative, 0.0))
            else:
                precision = found / (found + wrong)
                ranks.append((0.0, missed) if precision >= self.precision else (1.0, -precision))
        self.at = groups.p[min(range(len(ranks)), key=ranks.__getitem__)]

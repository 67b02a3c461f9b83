"""The cutoff of an arm: the probability from which on true is predicted."""

from itertools import accumulate

from headrace.learning.metrics.tallies import Probabilities, Scored
from headrace.learning.prediction import Prediction
from headrace.learning.tags import tagged
from headrace.learning.task import Threshold

EVERY = 500
"""The cutoff is chosen again after so many scored predictions of its model."""


@tagged("cutoff/2", precision=float | None)
class Cutoff:
    """Decides between true and false by the probability of true. Which cutoff is best is read from the predictions of its model that were scored so far.

    It is the lower edge of a cell of the tally `Probabilities`, so that what has come is counted exactly as it would be decided.

    Parameters
    ----------
    threshold
        The cutoff itself, or what it must meet.

    Attributes
    ----------
    at
        The probability from which on true is predicted; 0.5 before the first choice.
    tally
        What it is chosen from; None for a fixed one.
    precision, false_positive, false_negative
        As for `Threshold`.

    Examples
    --------
    >>> cutoff = Cutoff(Threshold(false_positive=1, false_negative=5))
    >>> for number in range(500):
    ...     cutoff.update((number % 10 < 3, True, (0.25, 0.5, 0.75)[number % 3]))
    >>> cutoff.at
    0.25
    """

    def __init__(self, threshold: float | Threshold):
        self.tally = Probabilities() if isinstance(threshold, Threshold) else None
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

    def decide_on(self, prediction: Prediction) -> Prediction:
        """Decide by the score of a prediction, or by its probability of true; one without either stays as it is."""
        if prediction.score is not None:
            return Prediction(self.decide(prediction.score), score=prediction.score)
        if prediction.probabilities is None:
            return prediction
        return Prediction(self.decide(prediction.probabilities.get(True, 0.0)), prediction.probabilities)

    def update(self, scored: Scored) -> None:
        """Count a scored prediction; choose the cutoff again when there are `EVERY` more."""
        if self.tally is not None:
            self.tally.update(*scored)
            if self.tally.count % EVERY == 0:
                self._choose(self.tally)

    def restart(self) -> None:
        """Count from the beginning: the model is another one now. What was chosen stays until there is enough to choose from."""
        if self.tally is not None:
            self.tally = Probabilities()

    def _choose(self, tally: Probabilities) -> None:
        """Choose the cutoff again among the cells that have predictions; it stays while true and false have not both come.

        Of several that meet the precision, that which finds the most true labels is chosen; where none does, the one with the highest
        precision. Of several with the lowest cost, the lowest is chosen.
        """
        groups = tally.view()
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
        self.at = tally.edges()[min(range(len(ranks)), key=ranks.__getitem__)]

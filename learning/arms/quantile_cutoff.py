"""A cutoff without labels: the score above which a given share of the last records lie."""

from bisect import bisect_right
from collections import deque
from math import inf, nextafter

from headrace.learning.prediction import Prediction
from headrace.learning.tags import tagged

WINDOW = 5_000
"""The scores from which the cutoff is chosen: the last ones, so that it follows scores that change."""

EVERY = 100
"""The cutoff is chosen again after so many scores."""


@tagged("quantile-cutoff/1", recent=list[float], at=float | None)
class QuantileCutoff:
    """Flags the records with the highest scores: of those so far as many as the quantile leaves above it, and no more.

    The quantile is exact: it is that of the last scores, which are kept. Where scores are alike, the next one is as likely to be flagged as
    any of them, so the share of flagged records is `1 - quantile`. Of equal scores at the border, none is flagged.

    Parameters
    ----------
    quantile
        The share of records that are not flagged, above 0 and below 1.

    Attributes
    ----------
    at
        The score from which on a record is flagged; None before there are enough scores for one of them to be above the quantile.

    Examples
    --------
    >>> cutoff = QuantileCutoff(0.9)
    >>> cutoff.decide(0.99)
    False
    >>> for number in range(1_000):
    ...     cutoff.see(number % 100 / 100)
    >>> cutoff.decide(0.89), cutoff.decide(0.9)
    (False, True)

    References
    ----------
    The share is that of a conformal p-value: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005.
    """

    def __init__(self, quantile: float):
        self.quantile = quantile
        self.at: float | None = None
        self.recent: deque[float] = deque(maxlen=WINDOW)
        self.since = 0  # scores since the cutoff was chosen

    def decide(self, score: float) -> bool:
        """Tell whether a record with this score is flagged."""
        return self.at is not None and score >= self.at

    def decide_on(self, prediction: Prediction) -> Prediction:
        """Decide by the score of a prediction; one without a score stays as it is."""
        score = prediction.score
        return prediction if score is None else Prediction(self.decide(score), score=score)

    def see(self, score: float) -> None:
        """Count the score of a record; choose the cutoff again when there are `EVERY` more."""
        self.recent.append(score)
        self.since += 1
        if self.since >= EVERY:
            self.since = 0
            self._choose()

    def restart(self) -> None:
        """Count from the beginning: the model is another one now. What was chosen stays until there is enough to choose from."""
        self.recent.clear()
        self.since = 0

    def _choose(self) -> None:
        count = len(self.recent)
        above = round((1 - self.quantile) * (count + 1))
        if 1 <= above < count:
            ordered = sorted(self.recent)
            highest_usual = ordered[count - above - 1]
            following = bisect_right(ordered, highest_usual)
            self.at = ordered[following] if following < count else nextafter(highest_usual, inf)

"""Sampling of classes: a model learns a part of the records that are false, and its probabilities are corrected for it."""

from headrace.learning.arms.weighting import Weighting
from headrace.learning.prediction import Prediction
from headrace.learning.tags import tagged
from headrace.learning.task import NEGATIVES, WEIGHTS, Label, Making


@tagged("sampling/1")
class Sampling:
    """Chooses which records with the label false are learned, evenly and without chance, and corrects the probability of true.

    A model that learns a share s of the records that are false takes true for 1/s times as likely, against false, as it is.

    Parameters
    ----------
    share
        The share of the records that are false which is learned, above 0 and up to 1.

    Attributes
    ----------
    due
        The part of the next record that is due; it is learned when a whole one is.

    Examples
    --------
    >>> sampling = Sampling(0.25)
    >>> [sampling.times(label) for label in (False, True, False, False, False)]
    [0, 1, 0, 0, 1]
    >>> sampling.correct(0.5)
    0.2

    References
    ----------
    He et al., "Practical lessons from predicting clicks on ads at Facebook", 2014, section 6.3.
    """

    def __init__(self, share: float):
        self.share = share
        self.due = 0.0

    def times(self, label: Label) -> int:
        """Tell how often the record with this label, the next one, is learned: once, or not at all."""
        if label is not False:
            return 1
        self.due += self.share
        if self.due < 1.0:
            return 0
        self.due -= 1.0
        return 1

    def correct_prediction(self, prediction: Prediction) -> Prediction:
        """Return what is predicted by the probabilities among all records."""
        p = self.correct((prediction.probabilities or {}).get(True, 0.0))
        return Prediction.of_classes({False: 1.0 - p, True: p})

    def correct(self, p: float) -> float:
        """Return the probability of true among all records, from that of a model which has learned the chosen ones."""
        true = self.share * p
        return true / (true + 1.0 - p) if p < 1.0 else 1.0


def sampling_of(made_of: Making) -> Sampling | Weighting | None:
    """Make what says how often a model learns each record, from what the model is made of; None if it learns each once.

    Examples
    --------
    >>> sampling_of({"use": "pa", "weights": "balanced"}).times("a"), sampling_of("pa")
    (1, None)
    """
    if isinstance(made_of, str):
        return None
    if (share := made_of.get(NEGATIVES)) is not None:
        return Sampling(float(share))
    return Weighting.of_text(str(made_of[WEIGHTS])) if WEIGHTS in made_of else None

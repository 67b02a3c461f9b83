"""Sampling of a frequent class: a model learns a part of the records that are false, and its probabilities are corrected for it."""

from headrace.learning.tags import tagged
from headrace.learning.task import NEGATIVES, Label, Making


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
    >>> [sampling.takes(label) for label in (False, True, False, False, False)]
    [False, True, False, False, True]
    >>> sampling.correct(0.5)
    0.2

    References
    ----------
    He et al., "Practical lessons from predicting clicks on ads at Facebook", 2014, section 6.3.
    """

    def __init__(self, share: float):
        self.share = share
        self.due = 0.0

    @classmethod
    def of(cls, made_of: Making) -> "Sampling | None":
        """Make the sampling that a model is made with; None if it learns all records."""
        share = None if isinstance(made_of, str) else made_of.get(NEGATIVES)
        return None if share is None else cls(float(share))

    def takes(self, label: Label) -> bool:
        """Tell whether the record with this label, the next one, is learned."""
        if label is not False:
            return True
        self.due += self.share
        if self.due < 1.0:
            return False
        self.due -= 1.0
        return True

    def correct(self, p: float) -> float:
        """Return the probability of true among all records, from that of a model which has learned the chosen ones."""
        true = self.share * p
        return true / (true + 1.0 - p) if p < 1.0 else 1.0

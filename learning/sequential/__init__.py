"""Sequential tests and bounds: their guarantees hold although one looks after every record."""

from headrace.learning.sequential.difference import Difference, Verdict
from headrace.learning.sequential.e_detector import EDetector
from headrace.learning.sequential.settled_mean import SettledMean

__all__ = ["Difference", "EDetector", "SettledMean", "Verdict"]

"""Drift detectors: they watch the champion's error for a change."""

from collections.abc import Callable

from headrace.learning.catalogue import Catalogue
from headrace.learning.drift.adwin import Adwin
from headrace.learning.drift.change import Change
from headrace.learning.drift.detector import Detector

__all__ = ["DEFAULT", "DETECTORS", "Adwin", "Change", "Detector"]

DETECTORS: Catalogue[Callable[[], Detector]] = Catalogue("detector", {"adwin": Adwin})
"""Each detector that an arm may have, with its class."""

DEFAULT = "adwin"
"""The name of the detector of every arm."""

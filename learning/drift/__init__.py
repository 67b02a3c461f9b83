"""Drift detectors: they watch a series, such as an error or a feature, for a change."""

from headrace.learning.drift.adwin import Adwin
from headrace.learning.drift.change import Change
from headrace.learning.drift.chi_square import ChiSquare
from headrace.learning.drift.ddm import Ddm
from headrace.learning.drift.detector import Detector, Series, Weighing, Weight
from headrace.learning.drift.error_rise import ErrorRise
from headrace.learning.drift.evidence import Evidence
from headrace.learning.drift.hddm_a import HddmA
from headrace.learning.drift.hddm_w import HddmW
from headrace.learning.drift.ks import Ks
from headrace.learning.drift.kswin import Kswin
from headrace.learning.drift.making import DETECTORS, make_detector
from headrace.learning.drift.oscillation import Oscillation
from headrace.learning.drift.page_hinkley import PageHinkley
from headrace.learning.drift.psi import Psi
from headrace.learning.drift.vote import Vote

__all__ = ["DETECTORS", "Adwin", "Change", "Detector", "Evidence", "Series", "Weighing", "Weight", "make_detector"]

DETECTORS.update(
    {
        "adwin": Adwin,
        "page_hinkley": PageHinkley,
        "kswin": Kswin,
        "ddm": Ddm,
        "hddm_a": HddmA,
        "hddm_w": HddmW,
        "error_rise": ErrorRise,
        "oscillation": Oscillation,
        "ks": Ks,
        "psi": Psi,
        "chi_square": ChiSquare,
        "vote": Vote,
        "evidence": Evidence,
    }
)

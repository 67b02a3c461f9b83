"""Drift detectors: they watch the champion's error for a change."""

from headrace.learning.drift.adwin import Adwin
from headrace.learning.drift.change import Change

__all__ = ["Adwin", "Change"]

"""Drift detectors: they watch the champion's error for a change."""

from learning.drift.adwin import Adwin
from learning.drift.change import Change

__all__ = ["Adwin", "Change"]

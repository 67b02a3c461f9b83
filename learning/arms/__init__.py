"""Arms: models, each with its detectors and its metrics."""

from headrace.learning.arms.arm import Arm

__all__ = ["Arm"]

"""Arms: models with the detectors and metrics that watch them."""

from headrace.learning.arms.arm import Arm

__all__ = ["Arm"]

"""Arms: models, each with its drift detector and its metrics."""

from headrace.learning.arms.arm import Arm

__all__ = ["Arm"]

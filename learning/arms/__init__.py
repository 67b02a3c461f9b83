"""Arms: models, each with its detectors and its metrics."""

from headrace.learning.arms.arm import Arm
from headrace.learning.arms.declared import arms_beside, check_arms, declared_arm

__all__ = ["Arm", "arms_beside", "check_arms", "declared_arm"]

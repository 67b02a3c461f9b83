"""Arms: models, each with its detectors and its metrics."""

from headrace.learning.arms.arm import Arm
from headrace.learning.arms.declared import absent_arms, arms_beside, check_arms, declared_arm, say_absent

__all__ = ["Arm", "absent_arms", "arms_beside", "check_arms", "declared_arm", "say_absent"]

from abc import ABCMeta
from typing import Any

from river.base import Base

class Loss(Base, metaclass=ABCMeta): ...
class BinaryLoss(Loss): ...
class MultiClassLoss(Loss): ...
class RegressionLoss(Loss): ...

class Log(BinaryLoss):
    def __init__(self, weight_pos: float = 1.0, weight_neg: float = 1.0) -> None: ...

class Squared(RegressionLoss): ...

class Hinge(BinaryLoss):
    threshold: float

class CrossEntropy(MultiClassLoss):
    class_weight: dict[Any, float]

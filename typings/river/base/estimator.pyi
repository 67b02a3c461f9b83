import abc

from river.base.base import Base
from river.compose import Pipeline

class EstimatorMeta(abc.ABCMeta): ...

class Estimator(Base, metaclass=EstimatorMeta):
    def __or__(self, other: Estimator | Pipeline) -> Pipeline: ...

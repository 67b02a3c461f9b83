import abc
from typing import Any

from river.base.estimator import Estimator, EstimatorMeta

class BaseTransformer(metaclass=abc.ABCMeta):
    @abc.abstractmethod
    def transform_one(self, x: dict[str, Any]) -> dict[str, Any]: ...

class Transformer(Estimator, BaseTransformer, metaclass=EstimatorMeta):
    def learn_one(self, x: dict[str, Any]) -> None: ...

import abc
from typing import Any

from river.base.estimator import Estimator

class AnomalyDetector(Estimator):
    @abc.abstractmethod
    def learn_one(self, x: dict[str, Any]) -> None: ...
    @abc.abstractmethod
    def score_one(self, x: dict[str, Any]) -> float | None: ...

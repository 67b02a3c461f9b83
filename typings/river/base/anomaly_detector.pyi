import abc
from typing import Any

from river.base.estimator import Estimator

class AnomalyDetector(Estimator):
    @abc.abstractmethod
    def learn_one(self, x: dict[str, Any]) -> None: ...
    @abc.abstractmethod
    def score_one(self, x: dict[str, Any]) -> float | None: ...

class SupervisedAnomalyDetector(Estimator): ...

class AnomalyFilter(Estimator):
    def __init__(self, anomaly_detector: AnomalyDetector, protect_anomaly_detector: bool = True) -> None: ...

import abc
from typing import Any

from river.base.estimator import Estimator

class Regressor(Estimator):
    @abc.abstractmethod
    def learn_one(self, x: dict[str, Any], y: float) -> None: ...
    @abc.abstractmethod
    def predict_one(self, x: dict[str, Any]) -> float | None: ...

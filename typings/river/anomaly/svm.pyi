from typing import Any

from river.base import AnomalyDetector
from river.optim.base import Optimizer

class OneClassSVM(AnomalyDetector):
    def __init__(
        self,
        nu: float = 0.1,
        optimizer: Optimizer | None = None,
        intercept_lr: float = 0.01,
        clip_gradient: float = 1e12,
        initializer: object = None,
    ) -> None: ...
    def learn_one(self, x: dict[str, Any]) -> None: ...
    def score_one(self, x: dict[str, Any]) -> Any: ...

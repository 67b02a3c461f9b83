from typing import Any

from river.base import Classifier
from river.optim.base import Optimizer

class LogisticRegression(Classifier):
    def __init__(
        self,
        optimizer: Optimizer | None = None,
        loss: object = None,
        l2: float = 0.0,
        l1: float = 0.0,
        intercept_init: float = 0.0,
        intercept_lr: float = 0.01,
        clip_gradient: float = ...,
        initializer: object = None,
    ) -> None: ...
    def learn_one(self, x: dict[str, Any], y: bool | float | str, w: float = 1.0) -> None: ...

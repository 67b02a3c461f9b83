from typing import Any

from river.base import Classifier
from river.optim.base import Optimizer

class SoftmaxRegression(Classifier):
    def __init__(self, optimizer: Optimizer | None = None, loss: object = None, l2: float = 0) -> None: ...
    def learn_one(self, x: dict[str, Any], y: bool | float | str) -> None: ...

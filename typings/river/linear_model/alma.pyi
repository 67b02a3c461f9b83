from typing import Any

from river.base import Classifier

class ALMAClassifier(Classifier):
    def __init__(self, p: int = 2, alpha: float = 0.9, B: float = ..., C: float = ...) -> None: ...
    def learn_one(self, x: dict[str, Any], y: bool | float | str) -> None: ...

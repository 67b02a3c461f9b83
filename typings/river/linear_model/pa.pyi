from typing import Any

from river.base import Classifier

class PAClassifier(Classifier):
    def __init__(self, C: float = 1.0, mode: int = 1, learn_intercept: bool = True) -> None: ...
    def learn_one(self, x: dict[str, Any], y: bool | float | str) -> None: ...

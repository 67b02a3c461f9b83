from typing import Any

from river.base import Classifier

class GaussianNB(Classifier):
    def __init__(self) -> None: ...
    def learn_one(self, x: dict[str, Any], y: bool | float | str) -> None: ...

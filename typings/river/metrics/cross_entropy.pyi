from river.metrics.base import Metric

class CrossEntropy(Metric):
    def __init__(self) -> None: ...
    def update(
        self,
        y_true: bool | float | str,
        y_pred: dict[bool | int | float | str, float] | None,
        w: float = 1.0,
    ) -> None: ...
    def get(self) -> float: ...

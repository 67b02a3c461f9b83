from river.base import Base
from river.stats import Mean

class PageHinkley(Base):
    _x_mean: Mean
    _sum_increase: float
    _sum_decrease: float
    _min_increase: float
    _max_decrease: float
    @property
    def drift_detected(self) -> bool: ...
    def __init__(
        self,
        min_instances: int = 30,
        delta: float = 0.005,
        threshold: float = 50.0,
        alpha: float = ...,
        mode: str = "both",
    ) -> None: ...
    def update(self, x: float) -> None: ...

from river._river_rust.drift import AdaptiveWindowing
from river.base import Base

class ADWIN(Base):
    _helper: AdaptiveWindowing
    _drift_detected: bool
    @property
    def drift_detected(self) -> bool: ...
    @property
    def width(self) -> int: ...
    @property
    def estimation(self) -> float: ...
    def __init__(
        self,
        delta: float = 0.002,
        clock: int = 32,
        max_buckets: int = 5,
        min_window_length: int = 5,
        grace_period: int = 10,
    ) -> None: ...
    def update(self, x: float) -> None: ...

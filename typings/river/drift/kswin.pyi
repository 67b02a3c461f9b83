from collections import deque
from collections.abc import Iterable
from typing import Any

from river.base import Base

class KSWIN(Base):
    p_value: float
    window: deque[float]
    @property
    def drift_detected(self) -> bool: ...
    def __init__(
        self,
        alpha: float = 0.005,
        window_size: int = 100,
        stat_size: int = 30,
        seed: int | None = None,
        window: Iterable[Any] | None = None,
    ) -> None: ...
    def update(self, x: float) -> None: ...

from typing import Self, final

@final
class AdaptiveWindowing:
    def __new__(
        cls,
        delta: float = 0.002,
        clock: int = 32,
        max_buckets: int = 5,
        min_window_length: int = 5,
        grace_period: int = 10,
    ) -> Self: ...
    def update(self, value: float) -> bool: ...
    def __setstate__(self, state: bytes) -> None: ...

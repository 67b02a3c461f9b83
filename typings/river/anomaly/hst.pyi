import random
from typing import Any

from river.base import AnomalyDetector
from river.tree.padded import PaddedBranch

class HalfSpaceTrees(AnomalyDetector):
    n_trees: int
    height: int
    window_size: int
    rng: random.Random
    trees: list[PaddedBranch]
    _tree_nodes: list[list[object]]
    _first_window: bool
    def __init__(
        self,
        n_trees: int = 10,
        height: int = 8,
        window_size: int = 250,
        limits: dict[str, tuple[float, float]] | None = None,
        seed: int | None = None,
    ) -> None: ...
    def learn_one(self, x: dict[str, Any]) -> None: ...
    def score_one(self, x: dict[str, Any]) -> float | None: ...

from typing import Any

from river.base import Regressor
from river.tree.hoeffding_tree import HoeffdingTree

class HoeffdingTreeRegressor(HoeffdingTree, Regressor):
    def __init__(
        self,
        grace_period: int = 200,
        max_depth: int | None = None,
        delta: float = 1e-07,
        tau: float = 0.05,
        leaf_prediction: str = "adaptive",
        leaf_model: Regressor | None = None,
        model_selector_decay: float = 0.95,
        nominal_attributes: list[str] | None = None,
        splitter: object = None,
        min_samples_split: int = 5,
        binary_split: bool = False,
        max_size: float = 500.0,
        memory_estimate_period: int = 1000000,
        stop_mem_management: bool = False,
        remove_poor_attrs: bool = False,
        merit_preprune: bool = True,
    ) -> None: ...
    def learn_one(self, x: dict[str, Any], y: float, *, w: float = 1.0) -> None: ...
    def predict_one(self, x: dict[str, Any]) -> float: ...

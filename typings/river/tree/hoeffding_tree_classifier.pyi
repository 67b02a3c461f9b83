from typing import Any

from river.base import Classifier
from river.tree.hoeffding_tree import HoeffdingTree

class HoeffdingTreeClassifier(HoeffdingTree, Classifier):
    def __init__(
        self,
        grace_period: int = 200,
        max_depth: int | None = None,
        split_criterion: str = "info_gain",
        delta: float = 1e-07,
        tau: float = 0.05,
        leaf_prediction: str = "nba",
        nb_threshold: int = 0,
        nominal_attributes: list[str] | None = None,
        splitter: object = None,
        binary_split: bool = False,
        min_branch_fraction: float = 0.01,
        max_share_to_split: float = 0.99,
        max_size: float = 100.0,
        memory_estimate_period: int = 1000000,
        stop_mem_management: bool = False,
        remove_poor_attrs: bool = False,
        merit_preprune: bool = True,
    ) -> None: ...
    def learn_one(self, x: dict[str, Any], y: bool | float | str, *, w: float = 1.0) -> None: ...
    def predict_proba_one(self, x: dict[str, Any]) -> dict[bool | int | float | str, float]: ...

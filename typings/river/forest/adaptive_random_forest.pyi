import random
from typing import Any

from river.base import Classifier, Ensemble
from river.tree.hoeffding_tree_classifier import HoeffdingTreeClassifier

class BaseForest(Ensemble[HoeffdingTreeClassifier]):
    _rng: random.Random
    def __init__(
        self,
        n_models: int,
        max_features: bool | str | int,
        lambda_value: int,
        drift_detector: object,
        warning_detector: object,
        metric: object,
        disable_weighted_vote: bool,
        seed: int | None,
    ) -> None: ...
    def learn_one(self, x: dict[str, Any], y: bool | float | str, **kwargs: Any) -> None: ...

class BaseTreeClassifier(HoeffdingTreeClassifier):
    def __init__(
        self,
        max_features: int = 2,
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
        rng: random.Random | None = None,
    ) -> None: ...

class ARFClassifier(BaseForest, Classifier):
    def __init__(
        self,
        n_models: int = 10,
        max_features: bool | str | int = "sqrt",
        lambda_value: int = 6,
        metric: object = None,
        disable_weighted_vote: bool = False,
        drift_detector: object = None,
        warning_detector: object = None,
        grace_period: int = 50,
        max_depth: int | None = None,
        split_criterion: str = "info_gain",
        delta: float = 0.01,
        tau: float = 0.05,
        leaf_prediction: str = "nba",
        nb_threshold: int = 0,
        nominal_attributes: list[str] | None = None,
        splitter: object = None,
        binary_split: bool = False,
        min_branch_fraction: float = 0.01,
        max_share_to_split: float = 0.99,
        max_size: float = 100.0,
        memory_estimate_period: int = 2000000,
        stop_mem_management: bool = False,
        remove_poor_attrs: bool = False,
        merit_preprune: bool = True,
        seed: int | None = None,
    ) -> None: ...
    def predict_proba_one(self, x: dict[str, Any], **kwargs: Any) -> dict[bool | int | float | str, float]: ...
    def _new_base_model(self) -> BaseTreeClassifier: ...

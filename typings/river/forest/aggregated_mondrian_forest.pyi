import abc
from typing import Any

from river.base import Classifier, Ensemble, Regressor
from river.tree.mondrian.mondrian_tree import MondrianTree

class AMFLearner(Ensemble[MondrianTree], metaclass=abc.ABCMeta):
    n_estimators: int
    max_nodes: int | None
    def __init__(
        self,
        n_estimators: int = 10,
        step: float = 0.1,
        loss: str = ...,
        use_aggregation: bool = True,
        split_pure: bool = False,
        max_nodes: int | None = None,
        seed: int | None = None,
    ) -> None: ...

class AMFClassifier(AMFLearner, Classifier):
    def __init__(
        self,
        n_estimators: int = 10,
        step: float = 1.0,
        use_aggregation: bool = True,
        dirichlet: float = 0.5,
        split_pure: bool = False,
        max_nodes: int | None = None,
        seed: int | None = None,
    ) -> None: ...
    def learn_one(self, x: dict[str, Any], y: bool | float | str) -> None: ...
    def predict_proba_one(self, x: dict[str, Any]) -> dict[bool | int | float | str, float]: ...

class AMFRegressor(AMFLearner, Regressor):
    def __init__(
        self,
        n_estimators: int = 10,
        step: float = 1.0,
        use_aggregation: bool = True,
        max_nodes: int | None = None,
        seed: int | None = None,
    ) -> None: ...
    def learn_one(self, x: dict[str, Any], y: float) -> None: ...
    def predict_one(self, x: dict[str, Any]) -> float | None: ...

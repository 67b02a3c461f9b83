from typing import Any

from river.base import Classifier, Ensemble, Estimator

class BaseSRPEnsemble(Ensemble[Any]):
    def __init__(
        self,
        model: Estimator | None = None,
        n_models: int = 100,
        subspace_size: float | str = 0.6,
        training_method: str = "patches",
        lam: float = 6.0,
        drift_detector: object = None,
        warning_detector: object = None,
        disable_detector: str = "off",
        disable_weighted_vote: bool = False,
        seed: int | None = None,
        metric: object = None,
    ) -> None: ...
    def learn_one(self, x: dict[str, Any], y: bool | float | str, **kwargs: Any) -> None: ...

class SRPClassifier(BaseSRPEnsemble, Classifier):
    def __init__(
        self,
        model: Estimator | None = None,
        n_models: int = 10,
        subspace_size: float | str = 0.6,
        training_method: str = "patches",
        lam: int = 6,
        drift_detector: object = None,
        warning_detector: object = None,
        disable_detector: str = "off",
        disable_weighted_vote: bool = False,
        seed: int | None = None,
        metric: object = None,
    ) -> None: ...
    def predict_proba_one(self, x: dict[str, Any], **kwargs: Any) -> dict[bool | int | float | str, float]: ...

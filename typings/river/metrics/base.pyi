import abc

from river.base import Base

class Metric(Base, metaclass=abc.ABCMeta):
    @abc.abstractmethod
    def get(self) -> float: ...

# River's labels are no floats, nor may probabilities be None; Headrace takes care of both itself.
class ClassificationMetric(Metric, metaclass=abc.ABCMeta):
    def __init__(self, cm: object = None) -> None: ...
    def update(
        self,
        y_true: bool | float | str,
        y_pred: bool | float | str | dict[bool | int | float | str, float] | None,
        w: float = 1.0,
    ) -> None: ...

class MultiClassMetric(ClassificationMetric, metaclass=abc.ABCMeta): ...

class BinaryMetric(ClassificationMetric, metaclass=abc.ABCMeta):
    def __init__(self, cm: object = None, pos_val: bool | int | str = True) -> None: ...

class RegressionMetric(Metric, metaclass=abc.ABCMeta): ...

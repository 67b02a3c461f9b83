from river.base import Estimator

class Pipeline(Estimator):
    def __init__(self, *steps: Estimator) -> None: ...

from river.metrics.base import MultiClassMetric

class Accuracy(MultiClassMetric):
    def get(self) -> float: ...

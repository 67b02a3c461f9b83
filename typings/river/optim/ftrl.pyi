from river.optim.base import Optimizer

class FTRLProximal(Optimizer):
    def __init__(self, alpha: float = 0.05, beta: float = 1.0, l1: float = 0.0, l2: float = 1.0) -> None: ...

from river.optim.base import Optimizer

class SGD(Optimizer):
    def __init__(self, lr: float = 0.01) -> None: ...

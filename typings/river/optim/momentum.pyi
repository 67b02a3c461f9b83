from river.optim.base import Optimizer

class Momentum(Optimizer):
    def __init__(self, lr: float = ..., rho: float = ...) -> None: ...

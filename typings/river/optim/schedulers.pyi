from river.optim.base import Scheduler

class Constant(Scheduler):
    learning_rate: float
    def __init__(self, learning_rate: float) -> None: ...

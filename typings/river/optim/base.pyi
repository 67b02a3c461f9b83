from abc import ABCMeta

from river.base import Base

class Scheduler(Base, metaclass=ABCMeta): ...

class Optimizer(Base):
    lr: Scheduler
    n_iterations: int

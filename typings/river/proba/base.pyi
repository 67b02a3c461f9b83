import abc

from river.base import Base

class Distribution(Base, metaclass=abc.ABCMeta):
    seed: int | None
    def __init__(self, seed: int | None = None) -> None: ...

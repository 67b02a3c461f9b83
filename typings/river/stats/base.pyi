import abc

from river.base import Base

class Univariate(Base, metaclass=abc.ABCMeta): ...

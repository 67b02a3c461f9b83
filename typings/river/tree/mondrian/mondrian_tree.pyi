import abc

class MondrianTree(metaclass=abc.ABCMeta):
    _n_nodes: int
    max_nodes: int | None

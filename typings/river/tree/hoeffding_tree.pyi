import abc

from river.tree.nodes.branch import DTBranch
from river.tree.nodes.leaf import HTLeaf

class HoeffdingTree(metaclass=abc.ABCMeta):
    _growth_allowed: bool
    _root: DTBranch | HTLeaf | None
    def __init__(
        self,
        max_depth: int | None = None,
        binary_split: bool = False,
        max_size: float = 100.0,
        memory_estimate_period: int = 1000000,
        stop_mem_management: bool = False,
        remove_poor_attrs: bool = False,
        merit_preprune: bool = True,
    ) -> None: ...
    @property
    def n_leaves(self) -> int: ...
    def _estimate_model_size(self) -> None: ...

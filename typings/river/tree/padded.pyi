import random
from collections.abc import Iterator

from river.tree.base import Branch

class PaddedBranch(Branch):
    def __init__(
        self, left: object, right: object, feature: str, threshold: float, l_mass: int, r_mass: int
    ) -> None: ...
    def iter_dfs(self) -> Iterator[object]: ...

def make_padded_tree(
    limits: dict[str, tuple[float, float]], height: int, padding: float, rng: random.Random = ..., **node_params: int
) -> PaddedBranch: ...

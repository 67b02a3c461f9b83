from river.tree.base import Branch

class DTBranch(Branch):
    def __init__(self, stats: object, *children: object, **attributes: object) -> None: ...

"""Explains Hoeffding trees: the branches that a record takes, and what the leaf has seen."""

from typing import Any

from headrace.learning.explain.explanation import Branching, TreeExplanation
from headrace.learning.models.preparing import Numbers


def explain_tree(model: Any, x: Numbers) -> TreeExplanation:
    """Follow a record from the root of a tree to its leaf, as River does to predict. An adaptive tree's alternate branches are left out.

    Examples
    --------
    >>> from river.tree import HoeffdingTreeClassifier
    >>> model = HoeffdingTreeClassifier(grace_period=50)
    >>> for number in range(500):
    ...     model.learn_one({"size": float(number % 10)}, number % 10 > 4)
    >>> explained = explain_tree(model, {"size": 7.0})
    >>> [branching.feature for branching in explained.path], set(explained.seen)
    (['size'], {'true'})
    """
    path: list[Branching] = []
    node = model._root  # noqa: SLF001 River has no other way in
    while hasattr(node, "children"):
        try:
            number = node.branch_no(x)
            child = node.children[number]
        except KeyError:  # the record lacks the feature, or a text is new: River goes where most went
            number, child = node.most_common_path()
        path.append(Branching(node.feature, x.get(node.feature), node.repr_branch(number)))
        node = child
    if node is None:
        return TreeExplanation(path, 0.0, {})
    seen = node.stats if isinstance(node.stats, dict) else {}
    named = {str(label).lower() if isinstance(label, bool) else str(label): float(n) for label, n in seen.items()}
    return TreeExplanation(path, float(node.total_weight), named)

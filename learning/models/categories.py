"""Strings as categories: what River's trees can split by, in place of a column for each value."""

from river import base

from headrace.learning.features.hashing import cell_of
from headrace.learning.features.strings import NONE, is_text
from headrace.learning.features.text import words_of
from headrace.learning.models.preparing import Features, Numbers, OneHot, mark_equals
from headrace.learning.tags import tagged
from headrace.learning.task import Label

LIMIT = 100
"""The values of a feature that are categories of their own: a tree grows a branch for each. All others are one category."""

FEATURES_MAX = 1_000
"""The features that may have categories of their own."""

WORD_BITS = 16
"""The words of texts share two to this power columns, as those of `OneHot`."""


@tagged("categories/1", known=dict[str, dict[str, None]])
class Categories(base.Transformer):
    """Keeps each string feature as a category, `country="PT"` as `country=: "=PT"`: not with the name of a number that another record may have there.

    The first 100 values of a feature are categories of their own, and all others are the category `others`. A text becomes a column for each
    of its words, as by `OneHot`.

    Attributes
    ----------
    known
        The values that are categories of their own, by feature.

    Examples
    --------
    >>> Categories().learn_transform_one({"price": 3.5, "country": "PT"})
    {'price': 3.5, 'country=': '=PT'}
    """

    def __init__(self) -> None:
        self.known: dict[str, dict[str, None]] = {}

    def transform_one(self, x: Features) -> Numbers:
        """Return the features with each string as a category; return the same object if there is nothing to change."""
        if "=" in "".join(x):
            x = mark_equals(x)
        if str not in map(type, x.values()):
            return x
        ready: Numbers = {}
        for name, value in x.items():
            if not isinstance(value, str):
                ready[name] = value
            elif is_text(value):
                for word in words_of(value):
                    ready[f"=~{cell_of(word, WORD_BITS)}={name}"] = 1.0
            else:
                ready[f"{name}="] = f"={value}" if self._is_own(name, value) else "others"
        return ready

    def learn_transform_one(self, x: Features, y: Label | None = None) -> Numbers:  # noqa: ARG002
        """Give new values a category, and do the same as `transform_one`."""
        for name, value in mark_equals(x).items():
            if isinstance(value, str) and not is_text(value) and self._is_own(name, value):
                self.known.setdefault(name, {})[value] = None
        return self.transform_one(x)

    def _is_own(self, name: str, value: str) -> bool:
        """Tell whether a value is a category of its own, or would be if it were learned."""
        known = self.known.get(name, NONE)
        return value in known or (len(known) < LIMIT and (name in self.known or len(self.known) < FEATURES_MAX))


def strings_for_trees(*, categories: bool) -> OneHot | Categories:
    """Make the step before a tree: strings as categories, or as columns."""
    return Categories() if categories else OneHot()

"""The step `list`: a string that lists categories, such as tags, becomes a column for each of them."""

from headrace.learning.features.hashing import Bits, cell_of
from headrace.learning.features.step import STRINGS, Features, Step
from headrace.learning.tags import tagged
from headrace.learning.task import Value


@tagged("feature-list/1")
class Items(Step):
    """Makes a list into columns, one for each item or each cell of the hash that items share.

    Parameters
    ----------
    separator
        What stands between two items. Blanks around an item do not count.
    bits
        The number of columns is two to this power.

    Examples
    --------
    >>> Items(bits=8).transform("tags", "red, green", {})
    {'=~253=tags': 1.0, '=~30=tags': 1.0}
    """

    takes = STRINGS
    is_ready = True

    def __init__(self, separator: str = ",", bits: Bits = 12):
        if not separator:
            raise ValueError("the separator is empty")
        self.separator, self.bits = separator, bits

    def transform(self, name: str, value: Value, x: Features) -> Features:  # noqa: ARG002
        """Return 1 for each column that the list has items in."""
        items = [item.strip() for item in str(value).split(self.separator)]
        return {f"=~{cell_of(item, self.bits)}={name}": 1.0 for item in items if item}

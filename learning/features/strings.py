"""Strings without a declared step: each value has a column, until there are too many; long texts become their words."""

from headrace.learning.features.hashing import cell_of
from headrace.learning.features.one_hot import BITS, LIMIT
from headrace.learning.features.text import words_of
from headrace.learning.tags import tagged
from headrace.learning.task import Value

COLUMNS_MAX = 100_000
"""The columns that the values of all features together may have of their own."""

NONE: dict[str, None] = {}

LONG, BLANKS = 60, 4
"""A string of more characters with at least so many blanks is a text."""

WORD_BITS = 16
"""The words of texts share two to this power columns."""


@tagged("strings/1", known=dict[str, dict[str, None]])
class Strings:
    """Makes the string features of a record into numbers.

    The first values of a feature each have a column, `country=PT`. There are at most 1,000 for a feature and 100,000 in all; any other value
    is hashed into one of 1,024 columns of its feature, `=#690=user`. A text of more than 60 characters and five words becomes a column for
    each word, hashed into 65,536, `=~71=message`. So a model does not grow for ever, whatever is sent.

    Attributes
    ----------
    known
        The values that have a column, by feature.
    room
        The columns that are left.

    Examples
    --------
    >>> strings, numbers = Strings(), {}
    >>> for number in range(1_000):
    ...     strings.learn("user", f"u{number}")
    >>> strings.put(numbers, "user", "u7")
    >>> strings.put(numbers, "user", "u1000")
    >>> strings.put(numbers, "country", "PT")
    >>> numbers
    {'user=u7': 1.0, '=#690=user': 1.0, 'country=PT': 1.0}
    """

    def __init__(self) -> None:
        self.known: dict[str, dict[str, None]] = {}
        self.room = COLUMNS_MAX

    def put(self, numbers: dict[str, Value], name: str, value: str) -> None:
        """Add what becomes of a value to the numbers of a record. A name that holds a `=` must be marked."""
        known = self.known.get(name, NONE)
        if value in known:
            numbers[f"{name}={value}"] = 1.0
        elif is_text(value):
            for word in words_of(value):
                numbers[f"=~{cell_of(word, WORD_BITS)}={name}"] = 1.0
        elif len(known) < LIMIT and self.room:
            numbers[f"{name}={value}"] = 1.0
        else:
            numbers[f"=#{cell_of(value, BITS)}={name}"] = 1.0

    def learn(self, name: str, value: str) -> None:
        """Give a value a column, if it is no text and there is room."""
        known = self.known.get(name)
        if known is None:
            known = self.known[name] = {}
        if value not in known and len(known) < LIMIT and self.room and not is_text(value):
            known[value] = None
            self.room -= 1


def is_text(value: str) -> bool:
    """Tell whether a string is a text, and no category.

    Examples
    --------
    >>> is_text("PT"), is_text("You have won a prize: call us now, before the end of this week!")
    (False, True)
    """
    return len(value) > LONG and value.count(" ") >= BLANKS

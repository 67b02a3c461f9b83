"""The digest: one number that stands for a state."""

from typing import Any

from learning.canonical import Walk
from learning.errors import SnapshotError


def digest(state: Any) -> str:
    """SHA-256, as 64 hex digits, of an object's canonical form.

    Types are named, floats are exact to the bit, the order of a dict counts and the order of a set does not. Two references to
    one mutable object differ from references to two equal ones, for they will part; whether two equal strings are one object
    makes no difference, for they cannot. What the codec leaves out is left out. A pickle is not canonical: its bytes depend on
    which equal strings happen to be one.

    Raises
    ------
    SnapshotError
        There is something in it that pickle cannot write: an open file, a generator.

    Examples
    --------
    >>> digest({"a": 1.0}) == digest({"a": 1.0})
    True
    >>> digest({"a": 1.0}) == digest({"a": 1})
    False
    >>> digest({1, 2}) == digest({2, 1})
    True
    """
    try:
        return Walk().digest(state).hex()
    except (TypeError, AttributeError) as error:
        raise SnapshotError(f"the state has no digest: {error}.", "Use a model that can be pickled.") from error

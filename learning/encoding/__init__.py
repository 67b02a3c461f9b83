"""The encoding of a state: canonical bytes that hold data alone. Equal states have equal bytes in every process.

The SHA-256 of an encoding is the state's digest. `form.py` defines the format, `table.py` the classes and functions that an encoding may
name, and `leaves.py` how objects that are more than their attributes are written. Reading an encoding calls and imports nothing, and looks
names up only in the table.
"""

from collections.abc import Sequence
from typing import Any

from headrace.learning.encoding import reader, table, writer
from headrace.learning.encoding.form import SIZE
from headrace.learning.errors import SnapshotError
from headrace.learning.plain import plain_failure

__all__ = ["SAVABLE", "SIZE", "decode", "digest", "encode", "missing"]

SAVABLE = (
    "Use River's classes and classes at the top level of your module, whose objects are their attributes alone: no lambda, no open file. "
    "List functions, and classes of other modules, in the module's HEADRACE_STATE."
)


def encode(value: object) -> bytes:
    """Encode a value: equal values give the same bytes in every process.

    Values of different types differ, floats are exact to the bit, and the order of a dict counts while that of a set does not. Two
    references to one mutable object are encoded otherwise than references to two equal objects, because the two may change apart.

    Raises
    ------
    SnapshotError
        The value holds an object that a state may not hold: a lambda, an open file, or an object of a class that the table lacks.

    Examples
    --------
    >>> decode(encode([1.5, {"a": None}, {3, 4}]))
    [1.5, {'a': None}, {3, 4}]
    >>> encode({1, 2}) == encode({2, 1}), encode({"a": 1.0}) == encode({"a": 1})
    (True, False)
    """
    try:
        return writer.encode(value)
    except Exception as error:  # a user's class may raise in any way
        raise _unwritable(error) from error


def digest(value: object) -> str:
    """Return the SHA-256 of a value's encoding, as 64 hex digits.

    Raises
    ------
    SnapshotError
        As for `encode`.

    Examples
    --------
    >>> import hashlib
    >>> digest([1]) == hashlib.sha256(encode([1])).hexdigest()
    True
    """
    try:
        return writer.digest_of(value)
    except Exception as error:
        raise _unwritable(error) from error


def decode(data: bytes, own_modules: Sequence[str] = (), size: int = SIZE) -> Any:
    """Decode a value.

    Parameters
    ----------
    data
        The bytes that `encode` returned.
    own_modules
        Names of a user's own modules, which are imported already. The encoding may name the classes that they define, and the classes and
        functions that they list in `HEADRACE_STATE`.
    size
        The most bytes that the encoding may have.

    Raises
    ------
    SnapshotError
        The bytes are no encoding, are too many, or name a class or function that a state may not hold.
    """
    try:
        return reader.Reader(data, own_modules, size).read()
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 River's Rust parts raise PanicException, which is no Exception
        what = error.what if isinstance(error, reader.Unreadable) else plain_failure(error)[:200]
        raise SnapshotError(f"the state cannot be read: {what}.", "Replay the log.") from None


def missing(value: object, own_modules: Sequence[str] = ()) -> list[str]:
    """List the classes and functions in a value that `decode` would refuse, as `module:name`.

    Parameters
    ----------
    value
        A value that `encode` can write.
    own_modules
        As for `decode`.

    Examples
    --------
    >>> from river import compose, sketch
    >>> missing([compose.Prefixer("a"), sketch.Counter()])
    ['river.sketch.counter:Counter']
    """
    written = writer.Writer()
    for _ in written.frames(value):
        pass
    tags, own = {*written.names, *(table.tag_of(kind) for kind, *_ in written.shapes)}, table.own_of(own_modules)
    return sorted(tag for tag in tags if tag is not None and table.find(tag, own) is None)


def _unwritable(error: Exception) -> SnapshotError:
    if isinstance(error, writer.Unwritable):
        return SnapshotError(f"the state cannot be saved: it holds {error.what}.", SAVABLE)
    return SnapshotError(f"the state cannot be saved: {plain_failure(error)}.", SAVABLE)

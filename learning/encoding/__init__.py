"""The encoding of a state: data alone, the same bytes for equal states in every process; its SHA-256 is the state's digest.

`form.py` says what stands in it, `table.py` which classes and functions it may name, `leaves.py` how what is not made of attributes is
taken apart. Nothing that is read is called, imported, or looked up outside the table.
"""

from collections.abc import Sequence
from typing import Any

from headrace.learning.encoding import reader, table, writer
from headrace.learning.encoding.form import SIZE
from headrace.learning.errors import SnapshotError

__all__ = ["SAVABLE", "SIZE", "decode", "digest", "encode", "missing"]

SAVABLE = (
    "Use River's classes and classes at the top level of your module, whose objects are their attributes alone: no lambda, no open file. "
    "List functions, and classes of other modules, in the module's HEADRACE_STATE."
)


def encode(value: object) -> bytes:
    """A value as bytes, the same for equal values in every process.

    Types are told apart, floats are exact to the bit, the order of a dict counts and that of a set does not. Two references to one
    object that may change differ from references to two equal ones, for they will part.

    Raises
    ------
    SnapshotError
        There is something in it that a state may not consist of: a lambda, an open file, a class that the table does not know.

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
    """SHA-256, as 64 hex digits, of a value's encoding.

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
    """The value of an encoding.

    Parameters
    ----------
    data
        What `encode` gave.
    own_modules
        Modules of a user's own, imported already: the classes that they define, and what they list in `HEADRACE_STATE`, may be in it
        too.
    size
        Bytes that it may have.

    Raises
    ------
    SnapshotError
        The bytes are no encoding, are too many, or name what a state may not consist of.
    """
    try:
        return reader.Reader(data, own_modules, size).read()
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 River's Rust parts raise PanicException, which is no Exception
        what = error.what if isinstance(error, reader.Unreadable) else f"{type(error).__name__}: {str(error)[:200]}"
        raise SnapshotError(f"the state cannot be read: {what}.", "Replay the log.") from None


def missing(value: object, own_modules: Sequence[str] = ()) -> list[str]:
    """The classes and functions in a value that `decode` would refuse, as `module:name`.

    Parameters
    ----------
    value
        What `encode` can write.
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
    return SnapshotError(f"the state cannot be saved: {type(error).__name__}: {error}.", SAVABLE)

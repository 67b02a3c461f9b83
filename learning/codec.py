"""The codec: a state as bytes, without what is not state, and back."""

import io
import pickle
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from river.compose import Pipeline
from river.proba.base import Distribution

from learning.constituents import Finder
from learning.errors import SnapshotError

# The generator that each of River's distributions carries and uses for `sample()` alone, which no model calls, is left out: its 2.5 KB
# are 94 to 97 % of a tree's pickle. Every loaded distribution shares this one.
GENERATOR = random.Random(0)

DEEP = 10_000
"""Calls that may be nested to write a deep model, such as a search tree that has become a chain: some 3 MB of stack."""

Strip = Callable[[Any], dict[str, Any] | None]


def _strip_distribution(value: Any) -> dict[str, Any] | None:
    if value.seed is not None:
        return None
    attributes = value.__dict__.copy()
    attributes.pop("_rng", None)
    return attributes  # type: ignore[no-any-return]


def _strip_pipeline(value: Any) -> dict[str, Any]:
    # A pipeline notes on its first use how it will be used.
    return value.__dict__ | {"_plan": None, "_inference_transformers": ()}  # type: ignore[no-any-return]


_STRIPS: dict[type[Any], Strip | None] = {}


def strip_of(kind: type[Any]) -> Strip | None:
    """What gives an object's attributes without those that are no state (None: it has no such attributes); None for most types."""
    try:
        return _STRIPS[kind]
    except KeyError:
        strip: Strip | None = None
        if issubclass(kind, Distribution):
            strip = _strip_distribution
        elif issubclass(kind, Pipeline):
            strip = _strip_pipeline
        _STRIPS[kind] = strip
        return strip


def dump(state: object) -> bytes:
    """A state as bytes.

    Raises
    ------
    SnapshotError
        There is something in it that cannot be saved: a lambda, an open file.

    Examples
    --------
    >>> load(dump([1.5, {"a": None}]))
    [1.5, {'a': None}]
    """
    try:
        return _dump(state)
    except RecursionError:
        pass
    except Exception as error:  # a user's model may refuse in any way
        raise _unsavable(error) from error
    try:
        with _deep():
            return _dump(state)
    except Exception as error:
        raise _unsavable(error) from error


def load(data: bytes, also: Sequence[str] = ()) -> Any:
    """A state from bytes.

    Only what models are made of is found, and no other module is imported for the asking.

    Parameters
    ----------
    data
        What `dump` gave.
    also
        Names of modules whose classes and functions are found too, and those of the modules below: they hold a user's own model.

    Raises
    ------
    SnapshotError
        The bytes are damaged, or ask for what does not belong into a model.
    """
    try:
        with closing(Finder(also)) as finder:
            return _Unpickler(data, finder).load()
    except (SnapshotError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 River's Rust parts raise PanicException, which is no Exception
        raise SnapshotError(f"the state cannot be read: {type(error).__name__}: {error}.", "Replay the log.") from None


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        strip = _STRIPS[kind] if kind in _STRIPS else strip_of(kind)
        if strip is None or (attributes := strip(value)) is None:
            return NotImplemented
        return _restore, (kind, attributes)


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, finder: Finder):
        super().__init__(io.BytesIO(data))
        self.finder = finder

    def find_class(self, module: str, name: str) -> Any:
        return self.finder.find(module, name)


def _dump(state: object) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=5).dump(state)
    return buffer.getvalue()


@contextmanager
def _deep() -> Iterator[None]:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, DEEP))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def _unsavable(error: Exception) -> SnapshotError:
    return SnapshotError(f"the state cannot be saved: {error}.", "Use a model that can be pickled.")


def _restore(kind: type[Any], attributes: dict[str, Any]) -> Any:
    if not (isinstance(kind, type) and issubclass(kind, Distribution | Pipeline)):
        raise SnapshotError(f"the state would restore a {kind!r}.", "Do not use this file.")
    value: Any = kind.__new__(kind)  # type: ignore[call-overload]
    value.__dict__.update(attributes)
    if isinstance(value, Distribution):
        value.__dict__.setdefault("_rng", GENERATOR)
    return value

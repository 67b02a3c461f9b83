"""The codec: a state as bytes, without what is not state, and back without running what is not ours."""

import importlib
import io
import pickle
import random
from collections.abc import Sequence
from typing import Any

from river.compose import Pipeline
from river.proba.base import Distribution

from learning.errors import SnapshotError

# The only thing left out: the generator that each of River's distributions carries and uses for `sample()` alone, which no model
# calls. Its 2.5 KB are 94 to 97 % of a tree's pickle. Every loaded distribution shares this one.
_GENERATOR = random.Random(0)

FUNCTIONS = frozenset(
    {
        ("_codecs", "encode"),
        ("copy", "deepcopy"),
        ("copyreg", "_reconstructor"),
        ("learning.codec", "_restore"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
        ("numpy.random._pickle", "__bit_generator_ctor"),
        ("numpy.random._pickle", "__generator_ctor"),
        ("numpy.random._pickle", "__randomstate_ctor"),
        ("river.naive_bayes.gaussian", "GaussianNB._make_gaussian"),
        ("river.tree.splitter.ebst_splitter", "EBSTNode._update_estimator_multivariate"),
        ("river.tree.splitter.ebst_splitter", "EBSTNode._update_estimator_univariate"),
    }
)
CLASSES = frozenset(
    {
        *(("builtins", name) for name in "bool bytearray bytes complex dict float frozenset int list object set slice str tuple".split()),
        *(("collections", name) for name in "Counter OrderedDict defaultdict deque".split()),
        ("functools", "partial"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy.random._pcg64", "PCG64"),
        ("numpy.random._mt19937", "MT19937"),
        ("numpy.random.bit_generator", "SeedSequence"),
        ("random", "Random"),
    }
)  # fmt: skip
# River's packages that hold models and what they are made of. Data sets, streams and converters to other libraries are not among them.
RIVER = frozenset(
    {
        "_river_rust", "active", "anomaly", "bandit", "base", "compose", "conf", "covariance", "drift", "dummy", "ensemble", "facto",
        "feature_extraction", "feature_selection", "forest", "imblearn", "linear_model", "metrics", "misc", "model_selection",
        "multiclass", "multioutput", "naive_bayes", "neighbors", "optim", "preprocessing", "proba", "rules", "sketch", "stats",
        "time_series", "tree", "utils",
    }
)  # fmt: skip
OURS = frozenset(
    {"learning.arm", "learning.drift", "learning.learner", "learning.metrics", "learning.models", "learning.prediction"}
)


def reduce_slim(value: object) -> Any:
    """How a value is written that has more to it than its state; NotImplemented for all others."""
    if isinstance(value, Distribution) and value.seed is None:
        state = dict(value.__dict__)
        state.pop("_rng", None)
        return _restore, (type(value), state)
    if isinstance(value, Pipeline):  # it notes on its first use how it will be used; that is not state
        return _restore, (type(value), value.__dict__ | {"_plan": None, "_inference_transformers": ()})
    return NotImplemented


def dump(state: object) -> bytes:
    """A state as bytes.

    Examples
    --------
    >>> load(dump([1.5, {"a": None}]))
    [1.5, {'a': None}]
    """
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=5).dump(state)
    return buffer.getvalue()


def load(data: bytes, also: Sequence[str] = ()) -> Any:
    """A state from bytes.

    Only classes that models are made of are found, and nothing is imported for the asking.

    Parameters
    ----------
    data
        What `dump` gave.
    also
        Names of modules whose classes and functions are found too: the ones that hold a user's own model.

    Raises
    ------
    SnapshotError
        The bytes are damaged, or ask for what does not belong into a model.
    """
    try:
        return _Unpickler(io.BytesIO(data), also).load()
    except SnapshotError:
        raise
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # River's Rust parts raise PanicException, which is no Exception
        raise SnapshotError(f"the state cannot be read: {type(error).__name__}: {error}.", "Replay the log.") from None


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        return reduce_slim(value)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, also: Sequence[str]):
        super().__init__(file)
        self.also = tuple(also)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in FUNCTIONS:
            return super().find_class(module, name)
        if (module, name) == ("builtins", "getattr"):
            return _guarded_getattr
        if (module, name) in CLASSES:
            found = super().find_class(module, name)
            return found
        first, _, rest = module.partition(".")
        if first == "river" and rest.split(".")[0] in RIVER:
            return self._class_of("river", module, name)
        if ".".join(module.split(".")[:2]) in OURS:
            return self._class_of("learning", module, name)
        if module in self.also or any(module.startswith(f"{own}.") for own in self.also):
            return super().find_class(module, name)
        raise SnapshotError(
            f"the state asks for {module}.{name}, which is no part of a model.", "Do not use this file."
        )

    @staticmethod
    def _class_of(package: str, module: str, name: str) -> Any:
        """A class that this package defines: not a module, a function, or something that it has itself imported."""
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        home = getattr(found, "__module__", "") or ""
        if isinstance(found, type) and home.split(".")[0] in (package, "builtins") and not name.startswith("_restore"):
            return found
        raise SnapshotError(
            f"the state asks for {module}.{name}, which is no class of {package}.", "Do not use this file."
        )


def _guarded_getattr(value: object, name: str) -> Any:
    """A bound method of a model, as pickle names it; nothing that leads out of River and of this project."""
    home = (value.__module__ if isinstance(value, type) else type(value).__module__).split(".")[0]
    if home not in ("river", "learning") or name.startswith("__"):
        raise SnapshotError(
            f"the state asks for the attribute '{name}' of a {type(value).__name__}.", "Do not use this file."
        )
    return getattr(value, name)


def _restore(kind: type[Any], state: dict[str, Any]) -> Any:
    if not (isinstance(kind, type) and issubclass(kind, Distribution | Pipeline)):
        raise SnapshotError(f"the state would restore a {kind!r}.", "Do not use this file.")
    value = kind.__new__(kind)
    value.__dict__.update(state)
    if issubclass(kind, Distribution):
        value.__dict__.setdefault("_rng", _GENERATOR)
    return value

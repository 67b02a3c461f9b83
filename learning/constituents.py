"""What a state may consist of: the classes and functions that its bytes may name, and nothing else."""

import importlib
from collections.abc import Sequence
from types import FunctionType, MethodType
from typing import Any

from learning.errors import SnapshotError

FUNCTIONS = frozenset(
    {
        ("copy", "deepcopy"),
        ("learning.codec", "_restore"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
        ("numpy.random._pickle", "__bit_generator_ctor"),
        ("numpy.random._pickle", "__generator_ctor"),
        ("numpy.random._pickle", "__randomstate_ctor"),
        ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"),
        ("river._river_rust.vectordict", "euclidean_distance_dict"),
        ("river._river_rust.vectordict", "euclidean_distance_tuple"),
        ("river.feature_extraction.vectorize", "strip_accents_unicode"),
        ("river.feature_extraction.vectorize", "tokenize_using_regex_pattern"),
        ("river.forest.online_extra_trees", "ExtraTrees._detection_mode_all"),
        ("river.forest.online_extra_trees", "ExtraTrees._detection_mode_drop"),
        ("river.forest.online_extra_trees", "ExtraTrees._detection_mode_off"),
        ("river.metrics.mutual_info", "_average_arithmetic"),
        ("river.naive_bayes.gaussian", "GaussianNB._make_gaussian"),
        ("river.tree.splitter.ebst_splitter", "EBSTNode._update_estimator_multivariate"),
        ("river.tree.splitter.ebst_splitter", "EBSTNode._update_estimator_univariate"),
        ("river.utils.math", "minkowski_distance"),
    }
)
"""Beside these, a state can name functions of a user's own model. None of these calls what it is given, nor reads or writes files."""

CLASSES = frozenset(
    {
        *(("builtins", name) for name in ["bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "set", "slice", "str", "tuple"]),
        *(("collections", name) for name in ["Counter", "OrderedDict", "defaultdict", "deque"]),
        ("functools", "partial"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy.random._mt19937", "MT19937"),
        ("numpy.random._pcg64", "PCG64"),
        ("numpy.random.bit_generator", "SeedSequence"),
        ("random", "Random"),
        ("statistics", "NormalDist"),
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
OURS = frozenset({"arm", "batch", "drift", "join", "learner", "mark", "metrics", "models", "order", "prediction"})

HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class made by a `class` statement, whose attributes can be set

REMEDY = "Do not use it; find out who wrote it. A module of your own is found if the task's model names it."


class Finder:
    """Finds what the bytes of one state name.

    A state consists of objects; it has no say in what a class is. Pickle's instructions could nevertheless set an attribute of a class
    or function that they have named, so all that was found is compared, and put back, when reading is done.

    Parameters
    ----------
    also
        Modules of a user's own: the classes and functions that they, and the modules below them, define.
    """

    def __init__(self, also: Sequence[str] = ()):
        self.also = tuple(also)
        self.found: dict[tuple[str, str], Any] = {}
        self.before: dict[Any, dict[str, Any]] = {}

    def find(self, module: str, name: str) -> Any:
        """The class or function; SnapshotError where a state cannot consist of it. Only then is its module imported."""
        key = module, name
        if key in self.found:
            return self.found[key]
        if key == ("builtins", "getattr"):
            thing: Any = bound_method
        elif key in FUNCTIONS or key in CLASSES:
            thing = _walk(module, name)
        elif self._is_own(module):
            thing = _defined(module, name, type | FunctionType)
        elif _is_model(module):
            thing = _defined(module, name, type)
        else:
            raise SnapshotError(f"the state asks for {module}.{name}, which is no part of a model.", REMEDY)
        self.found[key] = thing
        if not self._is_own(module):
            self.before[thing] = _attributes(thing)
        return thing

    def close(self) -> None:
        """Raise SnapshotError if something that was found is no longer what it was; it is made so again."""
        changed = [thing for thing, before in self.before.items() if not _same(_attributes(thing), before)]
        for thing in changed:
            _put_back(thing, self.before[thing])
        if changed:
            raise SnapshotError(f"the state has tried to change {changed[0].__qualname__}.", REMEDY)

    def _is_own(self, module: str) -> bool:
        return any(module == own or module.startswith(f"{own}.") for own in self.also)


def bound_method(value: Any, name: str) -> Any:
    """A method bound to an object of a model: what `getattr` is needed for."""
    if value is str and name in {"lower", "upper", "casefold"}:  # how a text is prepared
        return getattr(value, name)
    found = None
    if not name.startswith("__") and type(value).__module__.split(".")[0] not in ("builtins", "functools"):
        found = getattr(value, name, None)
    if not isinstance(found, MethodType) or found.__self__ is not value:
        raise SnapshotError(f"the state asks for the attribute '{name}' of a {type(value).__name__}.", REMEDY)
    return found


def _is_model(module: str) -> bool:
    package, *parts = module.split(".")
    if not parts or any(part.startswith("test") or part == "datasets" for part in parts):
        return False
    return parts[0] in {"river": RIVER, "learning": OURS}.get(package, ())


def _walk(module: str, name: str) -> Any:
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _defined(module: str, name: str, wanted: Any) -> Any:
    """What a module defines itself under this name: not what it has imported, nor what can be reached from there."""
    found = None if "__" in name else _walk(module, name)
    if isinstance(found, wanted) and (found.__module__, found.__qualname__) == (module, name):
        return found
    raise SnapshotError(f"the state asks for {module}.{name}, which is no class of a model.", REMEDY)


def _attributes(thing: Any) -> dict[str, Any]:
    """All that could be set on a class or function, by name; what is written in C cannot be changed."""
    if isinstance(thing, FunctionType):
        return {name: getattr(thing, name) for name in ("__code__", "__defaults__", "__kwdefaults__")} | thing.__dict__
    if isinstance(thing, type) and thing.__flags__ & HEAP_TYPE:
        return {name: value for name, value in vars(thing).items() if name != "__slotnames__"}  # pickle's own note
    return {}


def _same(now: dict[str, Any], before: dict[str, Any]) -> bool:
    return now.keys() == before.keys() and all(now[name] is value for name, value in before.items())


def _put_back(thing: Any, before: dict[str, Any]) -> None:
    now = _attributes(thing)
    for name in now.keys() - before.keys():
        delattr(thing, name)
    for name, value in before.items():
        if now.get(name) is not value:
            setattr(thing, name, value)

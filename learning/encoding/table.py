"""The table: what an encoding may name, the tag that stands for it, and how an object of a class is built."""

import copyreg
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from headrace.learning.encoding import river
from headrace.learning.encoding.form import ARGUMENT_MAX
from headrace.learning.encoding.leaves import LEAVES, Leaf
from headrace.learning.encoding.stripped import STRIPPED, Stripped
from headrace.learning.tags import PLACES, TAGS, Place, enter

DECLARED = "HEADRACE_STATE"
"""A module with a model of a user's own lists here the functions, and the classes of other modules, that the model's state consists of."""

BUILTIN = "bool bytes dict float frozenset int list set str str.casefold str.lower str.upper tuple"
"""Classes and functions of Python's own that may be named."""

LIBRARY = (
    ("collections", "Counter"), ("collections", "OrderedDict"), ("collections", "defaultdict"), ("collections", "deque"),
    ("copy", "deepcopy"),
    ("river._river_rust.vectordict", "euclidean_distance_dict"), ("river._river_rust.vectordict", "euclidean_distance_tuple"),
)  # fmt: skip
"""Classes and functions of other modules that may be named, beside those of River in `river.py` and our own, which are `tagged`."""


NOBODYS = ("builtins", "_io", "posix", "nt")
"""Modules of which nothing can be declared."""


class Shape(NamedTuple):
    """A class as the table knows it.

    Parameters
    ----------
    tag
        What stands for it.
    kind
        The class.
    slots
        What sets each of its slots, by name.
    stripped
        How its attributes are written without those that are no state; None for most.
    """

    tag: str
    kind: type[Any]
    slots: dict[str, Callable[[Any, Any], None]]
    stripped: Stripped | None

    def check(self, names: Iterable[str]) -> None:
        """Raise ValueError unless these can be names of attributes: of none would an object call another thing than its class's method."""
        for name in names:
            if type(name) is not str or not name.isidentifier() or name.startswith("__"):
                raise ValueError(f"{self.tag} has no attribute {name!r:.80}")
            if name in self.slots:
                continue
            defined = _defined(self.kind, name)
            if callable(defined) or isinstance(defined, (classmethod, staticmethod)) or hasattr(defined, "__get__"):
                raise ValueError(f"the attribute {name!r:.80} of {self.tag} would stand before what its class defines")


def _defined(kind: type[Any], name: str) -> Any:
    """Return what a class or one of its bases defines under a name, without binding it; None if nothing."""
    return next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)


SHAPES: dict[type[Any], Shape | None] = {}
"""What `shape_of` has said of the classes met so far."""


def shape_of(kind: type[Any]) -> Shape | None:
    """Return the shape of a class; None if its objects are more than their attributes.

    A class that is not in the table is named by its module, and whoever reads it must say that it may be there.
    """
    if kind not in SHAPES:
        SHAPES[kind] = _shape_of(kind)
    return SHAPES[kind]


def _shape_of(kind: type[Any]) -> Shape | None:
    tag = tag_of(kind)
    if tag is None or not _is_attributes(kind):
        return None
    names = copyreg._slotnames(kind)  # type: ignore[attr-defined] # noqa: SLF001 what pickle and copy use
    slots = {name: _defined(kind, name).__set__ for name in names}
    return Shape(tag, kind, slots, next((how for base, how in STRIPPED.items() if issubclass(kind, base)), None))


def tag_of(thing: Any) -> str | None:
    """What stands for a class or function; None if it cannot be named."""
    at = getattr(thing, "__objclass__", thing)  # a method of a class written in C knows its class alone
    module, name = getattr(at, "__module__", None), getattr(thing, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    if (module, name) in TAGS:
        return TAGS[module, name]
    return None if module in NOBODYS or "<" in name else f"{module}:{name}"


class UserTypes(NamedTuple):
    """The classes and functions that a state may name because a user's own modules define or declare them."""

    by_name: dict[tuple[str, str], Any]
    declared: tuple[Any, ...]


NOTHING = UserTypes({}, ())


def find(tag: str, own: UserTypes = NOTHING) -> Any:
    """Find the class or function of a tag; None if there is none.

    Of River only what is imported already is found: what a model consists of was imported when it was made.
    """
    place = PLACES.get(tag)
    if place is not None:
        return _reach(*place)
    module, colon, name = tag.partition(":")
    return own.by_name.get((module, name)) if colon else None


def takes(function: Any, arguments: Sequence[Any], own: UserTypes | None = None) -> bool:
    """Return whether a state may hold a function with these arguments, with which the model will call it later.

    Without `own`, as for whoever writes a state, every function of a user's own may.
    """
    named = isinstance(function, (type, FunctionType))
    tag = tag_of(function if named else type(function))
    if tag in HARMLESS:
        return True
    if tag in PLACES:
        return tag in ARGUMENTS and all(type(one) is not int or 0 <= one <= ARGUMENT_MAX for one in arguments)
    return named and (own is None or any(function is declared for declared in own.declared))


def method(owner: Any, name: str) -> MethodType | None:
    """Return a method bound to its owner, an object or a class; None if the table does not list the method."""
    kind = owner if isinstance(owner, type) else type(owner)
    if name not in METHODS.get((kind.__module__, kind.__qualname__), ()):
        return None
    bound = getattr(owner, name)
    return bound if isinstance(bound, MethodType) else None


def _is_attributes(kind: type[Any]) -> bool:
    """Return whether objects of a class are only their attributes: the class has no pickling or copying method of its own."""
    own = REDUCING if f"{kind.__module__}.{kind.__qualname__}" in COMPLETED else (*REDUCING, "__setstate__")
    like = next((base for base in STRIPPED if issubclass(kind, base)), object)
    if any(getattr(kind, name, None) is not getattr(like, name, None) for name in own):
        return False
    if hasattr(kind, "__del__"):  # it would run when what was read is let go, even if that was refused
        return False
    return all(base is object or base.__flags__ & HEAP_TYPE for base in kind.__mro__)


def fault_of(kind: type[Any]) -> str:
    """Why objects of a class are more than their attributes, to be put behind its name; empty where nothing of the class says so."""
    own = (name for name in (*REDUCING, "__setstate__", "__del__") if hasattr(kind, name))
    special = next((name for name in own if getattr(kind, name) is not getattr(object, name, None)), None)
    return f", whose class has a {special} of its own" if special else ""


REDUCING = ("__reduce_ex__", "__reduce__", "__getstate__", "__getnewargs__", "__getnewargs_ex__")

COMPLETED = frozenset(f"river.{name}" for name in river.COMPLETED.split())

HEAP_TYPE = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: a class made by a `class` statement."""


def _reach(module: str, name: str) -> Any:
    reached: Any = sys.modules.get(module)
    for part in name.split("."):
        reached = getattr(reached, part, None)
    return reached


def own_of(modules: Sequence[str]) -> UserTypes:
    """Collect the classes and functions that a state may name from a user's own modules, which are imported already."""
    by_name: dict[tuple[str, str], Any] = {}
    every: list[Any] = []
    for name in modules:
        module = sys.modules.get(name)
        things = vars(module).values() if module else ()
        defined = [thing for thing in things if isinstance(thing, type) and thing.__module__ == name]
        declared = getattr(module, DECLARED, ())
        every += declared
        for thing in (*defined, *declared):
            if isinstance(thing, type | FunctionType):
                by_name[thing.__module__, thing.__qualname__] = thing
                if isinstance(thing, type):
                    by_name |= {
                        (inner.__module__, inner.__qualname__): inner
                        for inner in vars(thing).values()
                        if isinstance(inner, type) and inner.__module__ == thing.__module__
                    }
    return UserTypes(by_name, tuple(every))


def _places() -> Iterator[tuple[str, Place]]:
    """Every tag of what is not our own, with its place."""
    yield from ((name, ("builtins", name)) for name in BUILTIN.split())
    yield from ((f"{module}.{name}", (module, name)) for module, name in LIBRARY)
    for listed, version in ((river.CLASSES, "/1"), (river.FUNCTIONS, "")):
        for module, names in listed.items():
            yield from ((f"river.{module}.{name}{version}", (f"river.{module}", name)) for name in names.split())


for tag, place in _places():
    enter(tag, place)

HARMLESS = frozenset(["bool", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple"])
"""Classes that a state may have with any arguments: they make no more of these than there is."""

ARGUMENTS = frozenset(
    ["collections.defaultdict", "copy.deepcopy", *(f"river.{name}" for name in river.ARGUMENTS.split())]
)
"""The functions and classes that a state may have with arguments, to be called with them."""

METHODS = {
    ("river." + owner.rpartition(".")[0], owner.rpartition(".")[2]): frozenset(names.split())
    for owner, names in river.METHODS.items()
}

LEAF_OF: dict[type[Any], Leaf] = {leaf.kind: leaf for leaf in LEAVES}
LEAF_BY_TAG: dict[str, Leaf] = {leaf.tag: leaf for leaf in LEAVES}

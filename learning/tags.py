"""Tags: the names of classes in snapshots, which stay when a class is moved or renamed."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from msgspec import Meta

Kind = TypeVar("Kind", bound=type[Any])

Place = tuple[str, str]
"""The module and the name of a class or function."""

OURS = "headrace.learning."
"""The prefix of the modules whose classes may be tagged. A class of a user's own module is named by its module instead."""

PLACES: dict[str, Place] = {}
"""The place of each tag: everything that a state may name. Rows are added when modules are imported, never while a state is read."""

TAGS: dict[Place, str] = {}
"""The tag of each place."""

CONTENTS: dict[Place, Mapping[str, Any]] = {}
"""The types of the attributes of each class that declares them, by name."""


Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A count or an offset in a state."""


def tagged(tag: str, **contents: Any) -> Callable[[Kind], Kind]:
    """Give a class the tag by which snapshots name it; every class of Headrace whose objects are part of a state needs one.

    Parameters
    ----------
    tag
        A name and a version, `errors/1`. Snapshots hold the tag, so it stays when the class is moved or renamed, and no other class gets it.
    contents
        The types of attributes, by name. A loaded state is compared with a new one, attribute by attribute. Declare the attributes whose
        type a new state does not show: dicts, and attributes that are None at first.

    Raises
    ------
    TypeError
        The class is not in `headrace.learning`, has another tag, or the tag belongs to another class.

    Examples
    --------
    >>> from headrace.learning.metrics.tallies.errors import Errors
    >>> PLACES["errors/1"]
    ('headrace.learning.metrics.tallies.errors', 'Errors')
    >>> tagged("average/1")(Errors)
    Traceback (most recent call last):
    ...
    TypeError: headrace.learning.metrics.tallies.errors:Errors has the tag errors/1, and cannot have average/1 too
    """

    def declare(kind: Kind) -> Kind:
        place = kind.__module__, kind.__qualname__
        if not kind.__module__.startswith(OURS):
            raise TypeError(f"{':'.join(place)} is not of {OURS.rstrip('.')}, and may have no tag")
        enter(tag, place)
        CONTENTS[place] = contents
        return kind

    return declare


def enter(tag: str, place: Place) -> None:
    """Enter a tag into the table; TypeError if it stands for another thing, or the thing has another tag."""
    name, known, other = ":".join(place), PLACES.get(tag, place), TAGS.get(place, tag)
    if known != place:
        raise TypeError(f"the tag {tag} of {name} is that of {':'.join(known)}")
    if other != tag:
        raise TypeError(f"{name} has the tag {other}, and cannot have {tag} too")
    PLACES[tag], TAGS[place] = place, tag


def contents_of(kind: type[Any]) -> Mapping[str, Any]:
    """What may stand in the attributes of a class, where it has said so."""
    return CONTENTS.get((kind.__module__, kind.__qualname__), {})

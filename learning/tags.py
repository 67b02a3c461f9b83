"""Tags: what stands in a snapshot for a class, whatever module the class moves to."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from msgspec import Meta

Kind = TypeVar("Kind", bound=type[Any])

Place = tuple[str, str]
"""The module and the name of a class or function."""

OURS = "headrace.learning."
"""The beginning of the names of the modules whose classes may be tagged. What is in a module of a user's own is named by its module."""

PLACES: dict[str, Place] = {}
"""Tag to place: all that a state may name. Entries are made when modules are imported, never by what is read."""

TAGS: dict[Place, str] = {}
"""Place to tag."""

CONTENTS: dict[Place, Mapping[str, Any]] = {}
"""Class to what may stand in its attributes, by their names, where it has said so."""


Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A count or an offset in a state."""


def tagged(tag: str, **contents: Any) -> Callable[[Kind], Kind]:
    """Give a class the tag under which its objects stand in snapshots: every class of ours whose objects are part of a state needs one.

    Parameters
    ----------
    tag
        A name and a version, `mae/1`. Snapshots hold it, so it stays when the class is moved or renamed, and is never given to another
        class.
    contents
        Attribute to the type of what may stand there. A loaded state is compared with a fresh one, attribute by attribute; this is for those
        of which a fresh state does not show what they may become: dicts, and what is None at first.

    Raises
    ------
    TypeError
        The class is not of `headrace.learning`, or the tag is another one's.

    Examples
    --------
    >>> from headrace.learning.metrics.mae import MAE
    >>> PLACES["mae/1"]
    ('headrace.learning.metrics.mae', 'MAE')
    >>> tagged("average/1")(MAE)
    Traceback (most recent call last):
    ...
    TypeError: headrace.learning.metrics.mae:MAE has the tag mae/1, and cannot have average/1 too
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

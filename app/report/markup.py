"""Makes HTML elements as text. All text is escaped, unless it is itself the result of these functions."""

from collections.abc import Iterable, Sequence
from html import escape

VOID = ("br", "circle", "line", "meta", "polyline", "rect")
"""The elements that have no content here."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = str | int | float | None


def el(name: str, /, *contents: Content, **attributes: Content) -> Html:
    """Make an element. An underscore in the name of an attribute stands for a hyphen, but not at the end: `class_` is `class`.

    Parameters
    ----------
    name
        The name of the element.
    contents
        Text, which is escaped, or other elements. None is left out.
    attributes
        The attributes; one that is None is left out.

    Examples
    --------
    >>> print(el("p", "a < b ", el("b", "<script>"), class_="note", title='"'))
    <p class="note" title="&quot;">a &lt; b <b>&lt;script&gt;</b></p>
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Html(f"<{name}{given}/>")
    return Html(f"<{name}{given}>{join(contents)}</{name}>")


def join(contents: Iterable[Content]) -> Html:
    """Put contents one after the other; text is escaped."""
    return Html("".join(one if isinstance(one, Html) else escape(str(one)) for one in contents if one is not None))


def table(head: Sequence[Content], rows: Iterable[Sequence[Content]], *, numbers: Iterable[int] = ()) -> Html:
    """Make a table in a frame that scrolls where the page is too narrow.

    Parameters
    ----------
    head
        The heads of the columns.
    rows
        The cells of each row.
    numbers
        The columns of numbers, which are aligned to the right.
    """
    right = set(numbers)

    def row(name: str, cells: Sequence[Content]) -> Html:
        return el("tr", *(el(name, cell, class_="number" if at in right else None) for at, cell in enumerate(cells)))

    body = [row("td", cells) for cells in rows]
    return el("div", el("table", el("thead", row("th", head)), el("tbody", *body)), class_="frame")

"""The screen: tables and live views that the command line prints. What came from outside is shown, and never obeyed."""

from typing import Any

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from headrace.app.cli.terminal import printable

FOLDED = {"arm", "task", "feature"}
"""Columns of names that people choose, which may be so long that they have to be broken."""

FOLDED_MIN = 16
"""The narrowest that such a column becomes."""


def styled(text: str, style: str) -> Text:
    """Make a text with a style, such as a cell of a table. A text without a style needs no call: a `Screen` takes it as it is."""
    return Text(printable(text), style=style)


class Screen(Console):
    r"""Prints tables. Their cells are plain text: neither the markup of rich nor what a terminal obeys has an effect in them.

    Parameters
    ----------
    options
        Those of rich's `Console`.

    Examples
    --------
    >>> import sys
    >>> from rich.table import Table
    >>> table = Table("feature", box=None, pad_edge=False)
    >>> table.add_row("[red]a\x1b[2J :key:")
    >>> Screen(file=sys.stdout, width=40).print(table)  # doctest: +NORMALIZE_WHITESPACE
    feature
    [red]a\x1b[2J :key:
    """

    def __init__(self, **options: Any):
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Make the text of a string. rich calls this for every string that it prints."""
        return super().render_str(printable(text), **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print objects. A table that does not fit the screen is narrowed, and nothing of it is cut."""
        super().print(*(fitted(one, self.width) if isinstance(one, Table) else one for one in objects), **options)


def fitted(table: Table, width: int) -> RenderableType:
    """Fit a table into a width, without cutting a cell: words are wrapped, then long names broken; else each row becomes a list.

    Examples
    --------
    >>> import sys
    >>> table = Table("signal", "detector", "action")
    >>> table.add_row("ads/0/7/0/0", "adwin", "recommended: reset")
    >>> Screen(file=sys.stdout, width=30).print(table)  # doctest: +NORMALIZE_WHITESPACE
    signal ads/0/7/0/0
      detector adwin; action
      recommended: reset
    """
    if needed_width(table) <= width:
        return table
    texts = [[_text(column.header), *map(_text, column.cells)] for column in table.columns]
    natural = [max(map(cell_len, column)) for column in texts]
    least = [max((cell_len(word) for text in column for word in text.split()), default=1) for column in texts]
    least = [min(one, FOLDED_MIN) if column[0] in FOLDED else one for one, column in zip(least, texts, strict=True)]
    room = width - (needed_width(table) - sum(natural))
    if sum(least) > room:
        return _listed(table, texts, width)
    while sum(natural) > room:
        slack = [now - one for now, one in zip(natural, least, strict=True)]
        natural[slack.index(max(slack))] -= 1
    for column, wide in zip(table.columns, natural, strict=True):
        column.width, column.no_wrap, column.overflow = wide, False, "fold"
    return table


def _text(cell: RenderableType) -> str:
    return cell.plain if isinstance(cell, Text) else printable(str(cell))


def _listed(table: Table, texts: list[list[str]], width: int) -> Group:
    """Write a row as its first cell with the others below it."""
    parts: list[RenderableType] = [Text(_text(table.title))] if table.title else []
    (first, *heads), *rows = zip(*texts, strict=True)
    for name, *cells in rows:
        head = f"{first} {name}".strip()
        parts.append(Text(head if cell_len(head) <= width else name, style="bold"))
        known = "; ".join(f"{head} {cell}".strip() for head, cell in zip(heads, cells, strict=True) if cell)
        parts.append(Padding(Text(known), (0, 0, 0, 2)))
    return Group(*parts)


def needed_width(table: Table) -> int:
    """Return the width of a table, in characters, if none of its cells is cut."""
    unbounded = Screen(width=10_000)
    return Measurement.get(unbounded, unbounded.options, table).maximum

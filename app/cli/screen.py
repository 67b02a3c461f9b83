"""The screen: tables and live views that the command line prints. What came from outside is shown, and never obeyed."""

from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from headrace.app.cli.terminal import printable


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


def needed_width(table: Table) -> int:
    """Return the width of a table, in characters, if none of its cells is cut."""
    unbounded = Screen(width=10_000)
    return Measurement.get(unbounded, unbounded.options, table).maximum

"""Shows a look at a file: a table that fits 80 columns, and what is doubtful."""

import io
import textwrap

from rich.table import Table as Grid

from headrace.app.cli.screen import Screen
from headrace.app.cli.terminal import printable, say, shortened
from headrace.app.files.look import Look, Seen

WIDTH = 80
"""The widest that a table and a paragraph are."""

TYPES = {"float": "numbers", "int": "numbers", "bool": "booleans", "string": "strings", "time": "dates"}

NAME, SHOWN = 15, 16
"""The most characters of a name, and of a range or an example."""


def show(seen: Look, file: str, doubts: list[str]) -> None:
    """Print what was seen of each column, and the doubts."""
    say(
        f"{shortened(file, 40)}: {len(seen.rows):,} rows{' were read' if len(seen.rows) >= 100_000 else ''}, {len(seen.seen)} columns.",
        "",
    )
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column("column", no_wrap=True)
    grid.add_column("holds", no_wrap=True)
    grid.add_column("distinct", justify="right", no_wrap=True)
    grid.add_column("missing", justify="right", no_wrap=True)
    grid.add_column("range or example", no_wrap=True)
    grid.add_column("becomes", no_wrap=True)
    for one in seen.seen.values():
        grid.add_row(
            shortened(one.name, NAME),
            TYPES[one.column.type] if one.distinct else "nothing",
            f"{one.distinct:,}",
            share(one),
            shortened(one.shown, SHOWN),
            one.becomes,
        )
    text = io.StringIO()
    Screen(width=WIDTH, file=text).print(grid)
    for line in text.getvalue().splitlines():
        say(line.rstrip())
    say("")
    for doubt in [*seen.notes, *doubts]:
        for line in textwrap.wrap(
            printable(doubt),
            WIDTH,
            initial_indent="! ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        ):
            say(line, fg="yellow")
    if seen.notes or doubts:
        say("")


def share(one: Seen) -> str:
    """Write the share of the cells that are missing; a little is never nothing."""
    percent = 100 * one.missing / one.rows
    return "0 %" if not one.missing else "<1 %" if percent < 1 else f"{percent:.0f} %"

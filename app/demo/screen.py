"""Where the demo is shown. The acts say what they have to say to a screen, and do not know how it looks."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from rich.console import Console
from rich.text import Text

MARGIN = 3


class Screen(Protocol):
    """Shows what an act tells, in the order in which it is told."""

    def open_act(self, number: int, title: str, story: str) -> None:
        """Begin an act. `story` says what happens in it."""

    def say(self, text: str) -> None:
        """Say what has happened."""

    def show_progress(self, figures: Mapping[str, str], note: str) -> None:
        """Show how far the act is: the figures of this second by their names, which are the same all act long, and what goes on."""

    def compare(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show results that should be equal, one a row; the first column says whose they are."""

    def judge(self, good: bool, verdict: str, reasons: str) -> None:
        """End an act with its verdict, and the figures behind it."""


class Terminal:
    """Prints to a terminal, or to a file or pipe, in the same words: only the colours differ.

    Parameters
    ----------
    console
        Where it prints.

    Examples
    --------
    >>> import sys
    >>> terminal = Terminal(Console(file=sys.stdout, width=60))
    >>> for second in (1, 2):
    ...     terminal.show_progress({"rows": str(second * 125), "accuracy": "0.82"}, "learning")
         rows  accuracy
          125      0.82  learning
          250      0.82  learning
    """

    def __init__(self, console: Console):
        self.console = console
        self._columns: tuple[str, ...] = ()

    def open_act(self, number: int, title: str, story: str) -> None:
        """Print the heading."""
        self._columns = ()
        self.console.print()
        self.console.print(Text(f"{number}  {title}", style="bold"))
        self.say(story)

    def say(self, text: str) -> None:
        """Print the text, folded at the width of the terminal."""
        self._print(Text(text))

    def show_progress(self, figures: Mapping[str, str], note: str) -> None:
        """Print a line of a table that grows as the act goes on."""
        widths = {name: max(len(name), 6) for name in figures}
        if self._columns != (columns := tuple(figures)):
            self._columns = columns
            self._print(Text("  ".join(name.rjust(widths[name]) for name in figures), style="dim"))
        numbers = "  ".join(figure.rjust(widths[name]) for name, figure in figures.items())
        self._print(Text(f"{numbers}  ").append(note, style="cyan"))

    def compare(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table."""
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        self.console.print()
        for line, style in [(columns, "dim"), *((row, "") for row in rows)]:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self._print(Text("  ".join(cells), style=style))
        self.console.print()

    def judge(self, good: bool, verdict: str, reasons: str) -> None:
        """Print the verdict, green or red, and the reasons."""
        self._print(Text.assemble((verdict, "bold green" if good else "bold red"), f" {reasons}"))

    def _print(self, text: Text) -> None:
        for line in text.wrap(self.console, self.console.width - MARGIN):
            line.rstrip()
            self.console.print(Text(" " * MARGIN).append_text(line))

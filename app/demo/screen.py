"""Shows the demo. The acts send their texts and figures to a screen, and do not depend on how it shows them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from rich.console import Console
from rich.text import Text

MARGIN = 3


class Screen(Protocol):
    """Shows the texts and figures of an act, in the order of the calls."""

    def open_act(self, number: int, title: str, story: str) -> None:
        """Begin an act. `story` says what happens in the act."""

    def say(self, text: str) -> None:
        """Show a text about what has happened."""

    def show_progress(self, figures: Mapping[str, str], note: str) -> None:
        """Show the progress of an act: the figures of this second, with the same names all act long, and a note on what goes on."""

    def compare(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show results that should be equal, one a row; the first column names each result."""

    def judge(self, good: bool, verdict: str, reasons: str) -> None:
        """End an act with its verdict and the reasons for it."""


class Terminal:
    """Prints the demo to a terminal, a file or a pipe, in the same words: only the colours differ.

    Parameters
    ----------
    console
        The console to print to.

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
        """Print the heading and the story of an act."""
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

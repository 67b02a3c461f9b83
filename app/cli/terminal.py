"""The terminal: lines and JSON that the command line prints. What came from outside is shown, and never obeyed."""

import json
import shutil
import sys
import textwrap

import click

SHOWN = 300
"""The most characters of a record that are printed on a line; `--json` shows more."""


def printable(text: str, *, keep: str = "") -> str:
    r"""Write the characters that a terminal would obey, not show, as escapes: anyone may have sent the text.

    Parameters
    ----------
    text
        Any text: of a record, a label, an id, a key, a reason, a name or an error.
    keep
        Characters that stay as they are, such as the ends of lines in a text of several lines.

    Examples
    --------
    >>> print(printable("fine \x1b[2J"))
    fine \x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else one.encode("unicode_escape").decode() for one in text)


def shortened(text: str, width: int = SHOWN) -> str:
    """Write a text as `printable` does, and cut it off after so many characters.

    Examples
    --------
    >>> shortened("a long name of a column", 10)
    'a long ...'
    """
    shown = printable(text)
    return shown if len(shown) <= width else shown[: width - 3] + "..."


def say(*lines: str, fg: str | None = None, bold: bool = False, err: bool = False, whole: bool = False) -> None:
    r"""Print lines, to stdout or stderr. A line stays one line, whatever it contains; on a terminal it is wrapped between words, unless it is to stay `whole`, as a record is.

    Examples
    --------
    >>> say("label \x1b]0;a title\x07", "one\ntwo")
    label \x1b]0;a title\x07
    one\ntwo
    """
    width = None if whole else terminal_width(err=err)
    for line in lines:
        click.secho(wrapped(printable(line), width), fg=fg, bold=bold or None, err=err)


def terminal_width(*, err: bool = False) -> int | None:
    """Return the width of the terminal that is written to; None for a file or a pipe, whose lines stay whole."""
    stream = sys.stderr if err else sys.stdout
    return shutil.get_terminal_size().columns if stream.isatty() else None


def wrapped(line: str, width: int | None) -> str:
    """Wrap a line between words, and indent what follows by two blanks more. A word that is too long stays whole, so that it can be copied.

    Examples
    --------
    >>> print(wrapped("  a line that is too long", 16))
      a line that is
        too long
    """
    if width is None or len(line) <= width:
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    lines = textwrap.wrap(
        line.strip(),
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)


def say_json(value: object, *, indent: int | None = 2) -> None:
    r"""Print JSON in ASCII. Its strings have every other character as an escape of JSON.

    Examples
    --------
    >>> say_json({"id": "\x1b\x7f\x9b"}, indent=None)
    {"id": "\u001b\u007f\u009b"}
    """
    click.echo(json.dumps(value, indent=indent).replace("\x7f", "\\u007f"))

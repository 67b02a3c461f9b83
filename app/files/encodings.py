"""Finds out in which encoding a text file is written, and reads it."""

import codecs
import io
import re
from typing import NamedTuple

import click

from headrace.app.files.opening import Stream

BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}  # fmt: skip
"""How the encodings begin that have a mark, and their names. UTF-32 comes before UTF-16, whose mark begins its own."""

STRAY = re.compile("[\udc80-\udcff]")
"""A byte that is no UTF-8, as it stands in a text that was decoded with `surrogateescape`."""

UNDEFINED = re.compile("[\udc81\udc8d\udc8f\udc90\udc9d]")
"""The bytes that Windows' own Latin-1 leaves undefined."""


class Encoding(NamedTuple):
    """The name of an encoding, a note for the user where it is a guess, and whether a mark says it."""

    name: str
    note: str = ""
    has_mark: bool = False


def find_encoding(head: bytes) -> Encoding:
    """Find the encoding of a text from its first bytes.

    Without a mark a text is UTF-8; UTF-16 if every second byte is 0; or, if it has more bytes that are no UTF-8 than characters that are,
    Windows' Latin-1 (cp1252).

    Examples
    --------
    >>> find_encoding("größe".encode()).name, find_encoding("größe".encode("latin-1")).name, find_encoding("größe".encode("utf-16-le")).name
    ('utf-8', 'cp1252', 'utf-16-le')
    """
    for mark, name in BOMS.items():
        if head.startswith(mark):
            return Encoding(name, has_mark=True)
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = head[first::2]
        if len(half) > 1 and half.count(0) > 0.6 * len(half) and head[1 - first :: 2].count(0) < 0.1 * len(half):
            return Encoding(name)
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(head)
    stray = len(STRAY.findall(text))
    if not stray or stray < len(re.findall("[^\x00-\x7f\udc80-\udcff]", text)):
        return Encoding("utf-8")
    name = "latin-1" if UNDEFINED.search(text) else "cp1252"
    return Encoding(name, f"It is not UTF-8, and is read as {name} (Western European).")


def open_text(stream: Stream, encoding: str) -> io.TextIOWrapper:
    """Open a file as text. The ends of its lines stay as they are.

    Bytes that are not of the encoding become lone surrogates, which no encoder takes: the row is refused later, and reading goes on.
    """
    check_encoding(encoding)
    errors = "replace" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
    return io.TextIOWrapper(stream.open(), encoding, errors, newline="")


def check_encoding(encoding: str) -> None:
    """Raise a usage error unless there is an encoding of this name."""
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise click.UsageError(f"there is no encoding '{encoding}'. Write for example utf-8 or cp1252.") from None

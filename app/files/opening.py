"""Opens the files that a user names: standard input, globs, and files that are packed. The bytes that were read are counted."""

import glob
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, cast

import click

from headrace.app.files.unpacking import DAMAGED, PACKED

STDIN = "-"
"""The name of standard input."""

HEAD = 1 << 18
"""The bytes from whose looks encoding, dialect and format are found."""

BUFFER = 1 << 16


def expand(names: Sequence[str]) -> list[str]:
    """Return the names of the files that are meant: a glob stands for the files that match, in alphabetical order.

    Raises
    ------
    click.UsageError
        There is no such file.
    """
    found: list[str] = []
    for name in names:
        path = Path(name)
        if name == STDIN or path.is_file():
            found.append(name)
        elif path.is_dir():
            raise click.UsageError(f"{name} cannot be read: it is a folder. Name its files: '{name.rstrip('/')}/*'.")
        elif path.exists():
            found.append(name)  # a pipe
        elif not glob.has_magic(name):
            raise click.UsageError(f"{name} cannot be read: there is no such file.")
        else:
            matches = sorted(match for match in glob.glob(name, recursive=True) if Path(match).is_file())  # noqa: PTH207 a pattern may begin with /
            if not matches:
                raise click.UsageError(f"{name} cannot be read: no file matches.")
            found += matches
    return found


class Stream:
    """One file, unpacked.

    Parameters
    ----------
    name
        The path, or `-` for standard input.

    Attributes
    ----------
    head
        The first bytes of what is unpacked.
    size
        The bytes of the file as it lies there; 0 if that is not known.
    is_packed
        Whether it was packed.

    Raises
    ------
    click.UsageError
        It cannot be read.
    """

    def __init__(self, name: str):
        self.name = name
        try:
            file: Any = sys.stdin.buffer if name == STDIN else Path(name).open("rb", buffering=0)  # noqa: SIM115 it is read lazily
            self.size = 0 if name == STDIN else Path(name).stat().st_size
            self._counted = _Counted(file)
            packed = io.BufferedReader(self._counted, BUFFER)
            first = packed.peek(8)
            unpack = next((made for magic, made in PACKED.items() if first.startswith(magic)), None)
            self.is_packed = unpack is not None
            self._unpacked = cast("IO[bytes]", packed if unpack is None else unpack(packed))
            self.head = _read_exactly(self._unpacked, HEAD)
        except DAMAGED as error:
            raise self.damaged(error) from None
        except OSError as error:
            raise click.UsageError(f"{name} cannot be read: {error.strerror or error}.") from None

    @property
    def bytes(self) -> int:
        """Return how many bytes of the file were read."""
        return self._counted.bytes

    def advance(self, share: float) -> None:
        """Count a share of the file as read, for a reader that opens the file by itself."""
        self._counted.bytes = round(share * self.size)

    def open(self) -> io.BufferedReader:
        """Return what is unpacked, from its beginning. It can be read once."""
        return io.BufferedReader(_Joined(self.head, self._unpacked), BUFFER)

    def damaged(self, error: Exception) -> click.UsageError:
        """Make the error of a packed file that cannot be unpacked."""
        what = "it ends too early" if isinstance(error, EOFError) else "it is damaged"
        return click.UsageError(f"{self.name} cannot be unpacked: {what}. Fetch or pack it again.")


class _Counted(io.RawIOBase):
    """Reads a file and counts the bytes."""

    def __init__(self, file: IO[bytes]):
        self.file, self.bytes = file, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.file.read(len(buffer)) or b""
        buffer[: len(data)] = data
        self.bytes += len(data)
        return len(data)


class _Joined(io.RawIOBase):
    """Reads the head again, and then the rest."""

    def __init__(self, head: bytes, rest: IO[bytes]):
        self.head, self.at, self.rest = head, 0, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.at < len(self.head):
            data = self.head[self.at : self.at + len(buffer)]
            self.at += len(data)
        else:
            data = self.rest.read(len(buffer)) or b""
        buffer[: len(data)] = data
        return len(data)


def _read_exactly(file: IO[bytes], count: int) -> bytes:
    """Read so many bytes, fewer only at the end."""
    parts: list[bytes] = []
    while count > 0 and (part := file.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)

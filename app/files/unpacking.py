"""Unpacks files that gzip, bz2, xz or zstd has packed."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Any

import zstandard

PACKED_BYTES = 1 << 13
"""The packed bytes that are unpacked at a time: a packed file may be a thousand times larger."""

DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError)
"""What unpacking raises where a file is damaged or cut off."""


class Zstd(io.RawIOBase):
    """Unpacks one frame after the other, and notices where the last one ends too early, as the reader of zstandard does not."""

    def __init__(self, file: IO[bytes]):
        self.file, self.frame, self.ready, self.is_within = (
            file,
            zstandard.ZstdDecompressor().decompressobj(),
            b"",
            False,
        )

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Put the next bytes into a buffer; EOFError if the last frame is not whole."""
        while not self.ready:
            data = self.frame.unused_data if self.frame.eof else b""
            if self.frame.eof:
                self.frame, self.is_within = zstandard.ZstdDecompressor().decompressobj(), False
            data = data or self.file.read(PACKED_BYTES)
            if not data:
                if self.is_within:
                    raise EOFError
                return 0
            self.is_within = True
            self.ready = self.frame.decompress(data)
        part, self.ready = self.ready[: len(buffer)], self.ready[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


PACKED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": Zstd,
}
"""How packed files begin, and what unpacks them."""

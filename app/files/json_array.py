"""One JSON array as a stream of its elements, as pandas and many web services write tables; it is never in memory as a whole."""

import re
from collections.abc import Iterable, Iterator

import msgspec

MARKS = re.compile(rb'["{}\[\]]')
END_OF_STRING = re.compile(rb'(?:[^"\\]|\\.)*"', re.DOTALL)

ELEMENT_MAX = 1 << 24
"""The most bytes of an element: a row is never longer, and an array that is not closed must not fill the memory."""


def split_array(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    r"""Yield the elements of an array, each on one line, with the line on which it begins; or with its number, where all stand on one line.

    An element that is no object is yielded too, as it is.

    Examples
    --------
    >>> list(split_array([b'[{"a": "}"},\n  {"b":', b' [1,\n 2]}]']))
    [(1, b'{"a":"}"}'), (2, b'{"b":[1,2]}')]
    >>> list(split_array([b'[{"a": 1}, 5, {"a": 2}]']))
    [(1, b'{"a":1}'), (2, b'5'), (3, b'{"a":2}')]
    """
    number, line = 0, 1
    for text, begun in _elements(chunks):
        number, line = number + 1, begun
        yield (line if line > 1 else number), _on_one_line(text)


def _on_one_line(text: bytes) -> bytes:
    try:
        return msgspec.json.format(text, indent=-1)
    except msgspec.DecodeError:
        return b" ".join(text.split())


def _elements(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield the texts of the elements, and the lines on which they begin."""
    rest = iter(chunks)
    buffer, line, depth = next(rest, b"").lstrip(b"\xef\xbb\xbf"), 1, 0
    at = start = buffer.find(b"[") + 1  # where the search goes on, and where the element begins
    line += buffer.count(b"\n", 0, start)
    while True:
        mark = MARKS.search(buffer, at)
        end = None if mark is None else mark.end()
        if mark is not None and mark[0] == b'"':
            string = END_OF_STRING.match(buffer, mark.end())
            end = None if string is None else string.end()
        if mark is None or end is None:  # the rest comes with the next chunk
            at = (len(buffer) if mark is None else mark.start()) - start
            more = next(rest, None)
            buffer, start = buffer[start:], 0
            if more is None or len(buffer) > ELEMENT_MAX:
                yield from _parts(buffer, line)
                return
            buffer += more
            continue
        at = end
        if mark[0] in b"{[":
            depth += 1
        elif mark[0] in b"}]":
            depth -= 1
            if depth <= 0:
                whole = buffer[start : at if depth == 0 else mark.start()]
                yield from _parts(whole, line)
                line += whole.count(b"\n")
                start = at
            if depth < 0:
                return


def _parts(text: bytes, line: int) -> Iterator[tuple[bytes, int]]:
    """Yield an object or array, and what stands before it and is none."""
    begin = min((at for at in (text.find(b"{"), text.find(b"[")) if at >= 0), default=len(text))
    for scalar in text[:begin].split(b","):
        if scalar.strip():
            yield scalar.strip(), line
    if text[begin:]:
        yield text[begin:], line + text.count(b"\n", 0, begin)

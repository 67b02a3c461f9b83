"""Recognises messages that are not JSON as they stand but what another program has framed: a schema registry, Avro, gzip, an editor."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

PREFIX = 5
"""The bytes in front of each message of a schema registry: a zero, and four bytes with the id of its schema."""

TEXTS = (b"{", b"[")
"""What a JSON document begins with, if it is no single value."""

PUBLISH = 'Publish it as JSON. See "A schema registry" in docs/how-to/own-topic.md.'

BEGINNINGS: Mapping[bytes, tuple[str, str]] = {
    b"Obj\x01": ("is an Avro file", "Send JSON."),
    b"PAR1": ("is a Parquet file", "Send JSON; headrace send reads such files."),
    b"\x1f\x8b": ("is compressed with gzip", "Leave the compression to the producer: compression.type."),
    b"\x28\xb5\x2f\xfd": ("is compressed with zstd", "Leave the compression to the producer: compression.type."),
    b"\xef\xbb\xbf": ("begins with a byte order mark", "Send UTF-8 without one."),
    b"\xff\xfe": ("is UTF-16", "Send UTF-8."),
    b"\xfe\xff": ("is UTF-16", "Send UTF-8."),
}
"""What a message is that begins so, and what to do."""


class Framed(NamedTuple):
    """A message of a schema registry: the id of its schema, and what stands behind the prefix."""

    schema_id: int
    body: bytes

    @property
    def is_text(self) -> bool:
        """Say whether the body looks like JSON, as that of JSON Schema is."""
        return self.body.lstrip().startswith(TEXTS)


def framed(value: bytes) -> Framed | None:
    r"""Take a message of a schema registry apart; None if it is none. No JSON begins with a zero byte.

    Examples
    --------
    >>> framed(b'\x00\x00\x00\x00\x07{"a": 1}')
    Framed(schema_id=7, body=b'{"a": 1}')
    """
    if not value.startswith(b"\0") or len(value) <= PREFIX:
        return None
    return Framed(int.from_bytes(value[1:PREFIX]), value[PREFIX:])


def recognise(value: bytes, *, flat: bool = True) -> tuple[str, str] | None:
    r"""Say what a message is whose lines are not all JSON, and what to do; None if it is nothing that is known.

    Parameters
    ----------
    value
        The whole message.
    flat
        Whether it may be decoded: it is not nested too deep.

    Examples
    --------
    >>> recognise(b"\x00\x00\x00\x00\x07\x02\x04")[0]
    'this looks like a message of a schema registry, with schema id 7, in Avro or Protobuf.'
    >>> recognise(b'{\n "label": true\n}')
    ('this is one JSON object over several lines, and each line is read as a record.', 'Write it on one line.')
    >>> recognise(b"nothing")
    """
    if (found := framed(value)) is not None:
        what = f"this looks like a message of a schema registry, with schema id {found.schema_id}, "
        if found.is_text:
            return (
                what + "in JSON.",
                "Publish plain JSON, without a registry; or map the topic as a source, which reads it.",
            )
        return what + "in Avro or Protobuf.", PUBLISH
    for beginning, (what, remedy) in BEGINNINGS.items():
        if value.startswith(beginning):
            return f"the message {what}.", remedy
    if flat and b"\n" in value.strip() and value.lstrip().startswith(TEXTS) and _is_json(value):
        noun = "object" if value.lstrip().startswith(b"{") else "list"
        what = f"this is one JSON {noun} over several lines, and each line is read as a record."
        return what, "Write it on one line." if noun == "object" else "Write each of its objects on a line of its own."
    return None


def _is_json(value: bytes) -> bool:
    try:
        msgspec.json.decode(value, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True

"""What every control record may have beside its command."""

from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.learning.records import Id

Text = Annotated[str, Meta(max_length=256)]
Digest = Annotated[str, Meta(pattern=r"^(sha256:)?[0-9a-f]{64}(?!\n)$")]
"""A SHA-256 in hex, with or without its name in front."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every control record may have beside its command; those of a command are its subclass.

    Parameters
    ----------
    id
        Names the record: one of the same id does nothing more.
    by
        Who asks for it, for those who look later.
    """

    id: Id | None = None
    by: Text = ""

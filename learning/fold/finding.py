"""A finding: what came of one check."""

from typing import Literal

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Parameters
    ----------
    check
        Names the check.
    status
        `ok`; a `note`, which hinders nothing; or a `fault`.
    what
        What was found; of a fault, the cause.
    remedy
        What to do about it.
    """

    check: str
    status: Literal["ok", "note", "fault"]
    what: str
    remedy: str = ""

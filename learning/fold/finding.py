"""A finding: the result of one check of a model."""

from typing import Literal

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """The result of one check.

    Parameters
    ----------
    check
        The name of the check.
    status
        `ok`; `note`, which prevents nothing; or `fault`.
    what
        The result as a sentence; for a fault, the cause.
    remedy
        What to do about a fault.
    """

    check: str
    status: Literal["ok", "note", "fault"]
    what: str
    remedy: str = ""

"""Traffic: which arm answers whom."""

import hashlib
from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from headrace.learning.tags import tagged
from headrace.learning.task import CHAMPION

Part = Annotated[float, Meta(gt=0, le=1)]

SPAN = float(2**64)


@tagged("traffic/1", shares=dict[str, Part])
class Traffic:
    """Splits questions among arms by a stable hash of their key, so that an entity is always answered by the same arm.

    Attributes
    ----------
    shares
        The share of each arm but the champion, which answers the rest.
    salt
        Another salt splits the keys in another way.

    Examples
    --------
    >>> traffic = Traffic()
    >>> traffic.split({"tree": 0.3}, salt="spring")
    >>> arms = [traffic.choose(f"user {number}") for number in range(1000)]
    >>> arms.count("tree"), traffic.choose("user 7") == arms[7]
    (283, True)
    """

    def __init__(self) -> None:
        self.shares: dict[str, float] = {}
        self.salt = ""

    def split(self, shares: Mapping[str, float], salt: str) -> None:
        """Split anew, in the order of the names, so that equal shares mean equal answers."""
        self.shares = {name: shares[name] for name in sorted(shares) if name != CHAMPION and shares[name] > 0}
        self.salt = salt

    def choose(self, key: str) -> str:
        """Return the name of the arm that answers a key."""
        if not self.shares:
            return CHAMPION
        drawn = int.from_bytes(hashlib.sha256(f"{self.salt}/{key}".encode()).digest()[:8], "big") / SPAN
        for name, share in self.shares.items():
            drawn -= share
            if drawn < 0:
                return name
        return CHAMPION

    def leave(self, name: str) -> None:
        """Give the share of an arm back to the champion."""
        self.shares.pop(name, None)

    def describe(self) -> dict[str, float]:
        """Return the share of every arm that answers, the champion's first."""
        return {CHAMPION: round(1.0 - sum(self.shares.values()), 12)} | self.shares

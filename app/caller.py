"""The caller of a question: the name and roles of its API key, never the key itself, and the hops of the question."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from aiohttp import web

from headrace.app.keys import Role

HOPS = "Headrace-Hops"
AGAIN_HEADER = "Headrace-Again"

HOPS_MAX = 2
"""How often a question may be forwarded. The owner of a shard may change on the way, and a question must not circulate for ever."""


class Caller(msgspec.Struct, frozen=True):
    """The caller of a question.

    Parameters
    ----------
    key
        The name of the caller's API key; None if the question came over Kafka, or to a worker that is open to everyone.
    roles
        The roles of the caller.
    hops
        How often the question was forwarded.
    again
        Whether to answer the question even if it was logged before. This is so for questions over Kafka: the worker that takes over from
        a dead one reads them again, and the fold takes the first copy.

    Examples
    --------
    >>> Caller("phone", ("predict",)).next_hop
    Caller(key='phone', roles=('predict',), hops=1, again=False)
    """

    key: str | None = None
    roles: tuple[Role, ...] = ()
    hops: Annotated[int, msgspec.Meta(ge=0)] = 0
    again: bool = False

    @property
    def is_over_kafka(self) -> bool:
        """Say whether the question came over Kafka: then it has roles without a key."""
        return self.key is None and len(self.roles) > 0

    @property
    def next_hop(self) -> "Caller":
        """Return the same caller with one more hop."""
        return msgspec.structs.replace(self, hops=self.hops + 1)

    @property
    def headers(self) -> dict[str, str]:
        """Return `hops` and `again` as headers, for workers that are open to everyone and share no secret."""
        return {HOPS: str(self.hops)} | ({AGAIN_HEADER: "true"} if self.again else {})

    @classmethod
    def of_headers(cls, headers: Mapping[str, str]) -> "Caller":
        """Make a caller without a key from the headers of a forwarded question. Anyone can send these headers: only open workers trust them.

        Examples
        --------
        >>> Caller.of_headers({"Headrace-Hops": "1"}).hops, Caller.of_headers({"Headrace-Hops": "many"}).hops
        (1, 2)
        """
        hops = headers.get(HOPS, "0")
        counted = int(hops) if hops.isascii() and hops.isdigit() and len(hops) < 4 else HOPS_MAX
        return cls(hops=counted, again=AGAIN_HEADER in headers)


OVER_KAFKA = Caller(roles=("predict",), again=True)
"""The caller of every question over Kafka. Whoever may write to `<task>.requests` may ask the models, and nothing else."""

CALLER = web.RequestKey("CALLER", Caller)
"""The key under which an admitted request stores its caller."""

"""Who asks a question: the name and roles of a key, never the key itself, and the way the question has come."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from aiohttp import web

from headrace.app.keys import Role

HOPS = "Headrace-Hops"
AGAIN_HEADER = "Headrace-Again"

HOPS_MAX = 2
"""How often a question is passed on: who owns a shard may change while it is on its way, and it must not go round for ever."""


class Caller(msgspec.Struct, frozen=True):
    """Who asks.

    Parameters
    ----------
    key
        The name of the caller's key; None for a question without one, which came over Kafka or to a worker that is open to everyone.
    roles
        What the caller may do.
    hops
        How often the question was passed on.
    again
        Whether a question may have been logged before, and is to be answered all the same. One that came over Kafka may: it is read
        again by whoever takes over from a worker that died. The fold takes the first.

    Examples
    --------
    >>> Caller("phone", ("predict",)).passed_on
    Caller(key='phone', roles=('predict',), hops=1, again=False)
    """

    key: str | None = None
    roles: tuple[Role, ...] = ()
    hops: Annotated[int, msgspec.Meta(ge=0)] = 0
    again: bool = False

    @property
    def is_over_kafka(self) -> bool:
        """Whether the question came over Kafka: its roles are not those of a key."""
        return self.key is None and len(self.roles) > 0

    @property
    def passed_on(self) -> "Caller":
        """The same caller, one hop further."""
        return msgspec.structs.replace(self, hops=self.hops + 1)

    @property
    def headers(self) -> dict[str, str]:
        """The way of the question as headers, for workers that are open to everyone and share no secret."""
        return {HOPS: str(self.hops)} | ({AGAIN_HEADER: "true"} if self.again else {})

    @classmethod
    def of_headers(cls, headers: Mapping[str, str]) -> "Caller":
        """A caller without a key, by what `headers` says of the way. Anyone can send these headers: only open workers believe them.

        Examples
        --------
        >>> Caller.of_headers({"Headrace-Hops": "1"}).hops, Caller.of_headers({"Headrace-Hops": "many"}).hops
        (1, 2)
        """
        hops = headers.get(HOPS, "0")
        counted = int(hops) if hops.isascii() and hops.isdigit() and len(hops) < 4 else HOPS_MAX
        return cls(hops=counted, again=AGAIN_HEADER in headers)


OVER_KAFKA = Caller(roles=("predict",), again=True)
"""Who asks over Kafka: nobody with a key. Whoever may write to `<task>.requests` may ask the models, and nothing else."""

CALLER = web.RequestKey("CALLER", Caller)
"""Where a request keeps its caller once the doors have admitted it."""

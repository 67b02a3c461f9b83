"""The announcements of a shard: effects that wait until the outlet has taken them, in their order."""

import asyncio
from collections.abc import Sequence

from headrace.agents.outlet import Outlet
from headrace.learning.codes import AlertCode
from headrace.learning.effects import Alert, Effect


class Announcements:
    """Keeps the effects of one shard until the outlet has taken them; those that it did not take are offered again.

    Parameters
    ----------
    task, partition
        Which shard.
    outlet
        Publishes effects.
    """

    def __init__(self, task: str, partition: int, outlet: Outlet):
        self.task, self.partition, self.outlet = task, partition, outlet
        self._waiting: list[Effect] = []
        self._publishing = asyncio.Lock()

    def add(self, effects: Sequence[Effect]) -> None:
        """Let effects wait for the next time that effects are published."""
        self._waiting += effects

    def alert(self, code: AlertCode, detail: str, position: int, clock: int) -> None:
        """Add an alert of the shard's own, which is not an effect of the fold; `clock` is log time in milliseconds."""
        name = f"{self.task}/{self.partition}/{position}/0/{code}"
        self._waiting.append(Alert(id=name, code=code, detail=detail, time=clock / 1000))

    async def publish(self) -> None:
        """Hand all that wait to the outlet, in their order. Raises what the outlet raises; those not taken go on waiting."""
        if not self._waiting:
            return
        async with self._publishing:
            while self._waiting:
                effects = self._waiting[:]
                await self.outlet.tell(self.partition, effects)
                del self._waiting[: len(effects)]

    async def flush(self) -> None:
        """Publish all that wait, and return when the broker has acknowledged them."""
        await self.publish()
        await self.outlet.flush(self.partition)

"""The teller of a shard: publishes its effects and alerts in order, and keeps those that the outlet did not take."""

import asyncio
from collections.abc import Sequence

from headrace.agents.outlet import Outlet
from headrace.agents.telemetry import Telemetry
from headrace.learning.codes import AlertCode
from headrace.learning.effects import Alert, Effect


class Teller:
    """Publishes the effects of one shard in order. Effects that the outlet does not take are kept and sent again later.

    Parameters
    ----------
    task, partition
        The task and the partition of the shard.
    outlet
        Publishes effects on the broker.
    telemetry
        Counts the effects that the outlet has taken.
    """

    def __init__(self, task: str, partition: int, outlet: Outlet, telemetry: Telemetry | None = None):
        self.task, self.partition, self.outlet = task, partition, outlet
        self.telemetry = telemetry or Telemetry()
        self._kept: list[Effect] = []
        self._publishing = asyncio.Lock()

    def add(self, effects: Sequence[Effect]) -> None:
        """Add effects, which the next `publish` sends."""
        self._kept += effects

    def alert(self, code: AlertCode, detail: str, position: int, clock: int) -> None:
        """Add an alert of the shard itself, which is not an effect of the fold. `clock` is log time in milliseconds."""
        alert_id = f"{self.task}/{self.partition}/{position}/0/{code}"
        self._kept.append(Alert(id=alert_id, code=code, detail=detail, time=clock / 1000))

    async def publish(self) -> None:
        """Send the effects so far to the outlet, in order. Raises what the outlet raises; effects that the outlet did not take are kept.

        Those that are added meanwhile are for the next call: a snapshot that publishes first must not wait as long as effects come.
        """
        if not self._kept:
            return
        async with self._publishing:
            if effects := self._kept[:]:
                with self.telemetry.tracer.span(
                    "publish", task=self.task, partition=self.partition, effects=len(effects)
                ):
                    await self.outlet.tell(self.partition, effects)
                del self._kept[: len(effects)]
                self.telemetry.count(self.partition, effects)

    async def flush(self) -> None:
        """Publish all effects, and wait until the broker has acknowledged them."""
        await self.publish()
        await self.outlet.flush(self.partition)

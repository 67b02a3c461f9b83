"""Arrivals: requests that wait until a model has come as far as they ask."""

import asyncio
from collections.abc import Callable

from headrace.agents.background import Background
from headrace.agents.shards import Model, Shards

LOOK_SECONDS = 0.002
"""How often the models are looked at while any request waits. The fold is not asked to tell: most of the time no one listens."""

Suffices = Callable[[Model], bool]


class Arrivals:
    """Lets requests wait for a task's models. One background task looks at the models for all who wait, and rests while no one does.

    Parameters
    ----------
    shards
        Give the models.

    Attributes
    ----------
    looking
        The background task; it starts with the first request that waits.
    """

    def __init__(self, shards: Shards):
        self.shards = shards
        self.looking = Background(f"arrivals of {shards.task.name}", self._look)
        self._waiting: dict[asyncio.Future[Model], tuple[int, Suffices]] = {}
        self._asked = asyncio.Event()

    async def wait(self, partition: int, suffices: Suffices, seconds: float) -> Model | None:
        """The model of a shard once it suffices; None when it does not in so many seconds."""
        model = self.shards.answering(partition)
        if model is not None and suffices(model):
            return model
        arrived: asyncio.Future[Model] = asyncio.get_running_loop().create_future()
        self._waiting[arrived] = partition, suffices
        self._asked.set()
        if self.looking.state == "stopped":
            self.looking.start()
        try:
            return await asyncio.wait_for(arrived, seconds)
        except TimeoutError:
            return None
        finally:
            del self._waiting[arrived]

    async def stop(self) -> None:
        """Look no more."""
        await self.looking.stop()

    async def _look(self) -> None:
        while await self._asked.wait():
            for arrived, (partition, suffices) in self._waiting.items():
                if not arrived.done():
                    self._look_for(arrived, partition, suffices)
            if not self._waiting:
                self._asked.clear()
            await asyncio.sleep(LOOK_SECONDS)

    def _look_for(self, arrived: asyncio.Future[Model], partition: int, suffices: Suffices) -> None:
        try:
            model = self.shards.answering(partition)
            if model is not None and suffices(model):
                arrived.set_result(model)
        except Exception as error:  # noqa: BLE001 it is of this request, and no other waits longer for it
            arrived.set_exception(error)

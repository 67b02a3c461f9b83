"""Arrivals: requests that wait until a model has come as far as they ask."""

import asyncio
from collections.abc import Callable

from headrace.agents.shards import Model, Shards

LOOK_SECONDS = 0.002
"""How often the models are looked at while any request waits. The fold is not asked to tell: most of the time no one listens."""

Suffices = Callable[[Model], bool]


class Arrivals:
    """Lets requests wait for a task's models; however many wait, each is looked at by one timer, and by none when none waits.

    Parameters
    ----------
    shards
        Give the models.
    """

    def __init__(self, shards: Shards):
        self.shards = shards
        self._waiting: dict[asyncio.Future[Model], tuple[int, Suffices]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, partition: int, suffices: Suffices, seconds: float) -> Model | None:
        """The model of a shard once it suffices; None when it does not in so many seconds."""
        model = self.shards.answering(partition)
        if model is not None and suffices(model):
            return model
        arrived: asyncio.Future[Model] = asyncio.get_running_loop().create_future()
        self._waiting[arrived] = partition, suffices
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            return await asyncio.wait_for(arrived, seconds)
        except TimeoutError:
            return None
        finally:
            del self._waiting[arrived]

    async def _look(self) -> None:
        while self._waiting:
            for arrived, (partition, suffices) in self._waiting.items():
                model = self.shards.answering(partition)
                if model is not None and not arrived.done() and suffices(model):
                    arrived.set_result(model)
            await asyncio.sleep(LOOK_SECONDS)

"""Lets requests wait until a model has reached the position that they ask for."""

import asyncio
from collections.abc import Callable

from headrace.agents.background import Background
from headrace.agents.shards import Model, Shards

Suffices = Callable[[Model], bool]


class Arrivals:
    """Lets requests wait for a task's models. One background task checks the models for all waiting requests, and sleeps while there are none.

    Parameters
    ----------
    shards
        The shards and replicas whose models the requests wait for.

    Attributes
    ----------
    checking
        The background task that checks the models; it starts with the first request that waits.
    """

    def __init__(self, shards: Shards):
        self.shards = shards
        self.checking = Background(f"arrivals of {shards.task.name}", self._run, pace=shards.pace)
        self._waiting: dict[asyncio.Future[Model], tuple[int, Suffices]] = {}
        self._has_requests = asyncio.Event()

    async def wait(self, partition: int, suffices: Suffices, seconds: float) -> Model | None:
        """Return the model of a shard as soon as it suffices, or None if it does not within `seconds`."""
        model = self.shards.answering(partition)
        if model is not None and suffices(model):
            return model
        arrived: asyncio.Future[Model] = asyncio.get_running_loop().create_future()
        self._waiting[arrived] = partition, suffices
        self._has_requests.set()
        if self.checking.state == "stopped":
            self.checking.start()
        try:
            return await asyncio.wait_for(arrived, seconds)
        except TimeoutError:
            return None
        finally:
            del self._waiting[arrived]

    async def stop(self) -> None:
        """Stop the background task."""
        await self.checking.stop()

    async def _run(self) -> None:
        while await self._has_requests.wait():
            for arrived, (partition, suffices) in self._waiting.items():
                if not arrived.done():
                    self._check(arrived, partition, suffices)
            if not self._waiting:
                self._has_requests.clear()
            await asyncio.sleep(self.shards.pace.check_arrivals)

    def _check(self, arrived: asyncio.Future[Model], partition: int, suffices: Suffices) -> None:
        try:
            model = self.shards.answering(partition)
            if model is not None and suffices(model):
                arrived.set_result(model)
        except Exception as error:  # noqa: BLE001 the error belongs to this request, and must not stop the others
            arrived.set_exception(error)

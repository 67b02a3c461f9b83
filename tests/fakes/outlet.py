"""An outlet in memory."""

from collections.abc import Callable

from fakes.step import Step, pause

from headrace.learning.effects import Effect


class Outlet:
    """Publishes the effects of a task to a set of their ids.

    It keeps to the promise of `KafkaOutlet`: effects that were told may be published at any time, and are published when a flush returns.

    Parameters
    ----------
    published
        The ids of what the broker has. It outlives the outlet.
    step
        Awaited before anything is told, before each effect of a flush is published, and at its end. It may take its time, fail, or end the
        process.
    is_early
        Asked at each effect that is told: whether the broker has it before the flush.
    witness
        Sees each effect that is published.
    """

    def __init__(
        self,
        published: set[str] | None = None,
        *,
        step: Step = pause,
        is_early: Callable[[], bool] = lambda: False,
        witness: Callable[[Effect], None] = lambda _: None,
    ):
        self.published = set() if published is None else published
        self._step, self._is_early, self._witness = step, is_early, witness
        self._pending, self._sent = [], 0

    async def tell(self, partition, effects):
        await self._step()
        for effect in effects:
            if self._is_early():
                self._publish(effect)
            self._pending.append(effect)

    async def flush(self, partition):
        """Publish what was told before the call. What is told during it is for the next flush."""
        end = self._sent + len(self._pending)
        while self._sent < end:
            await self._step()
            if self._pending:
                self._publish(self._pending.pop(0))
                self._sent += 1
        await self._step()

    def _publish(self, effect):
        self.published.add(effect.id)
        self._witness(effect)

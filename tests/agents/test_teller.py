"""The teller publishes a shard's effects in order, and a flush does not wait for later ones."""

import asyncio

from fakes.outlet import Outlet

from headrace.agents.teller import Teller
from headrace.learning.effects import Alert


def alert(number):
    return Alert(id=f"t/0/{number}/0/0", code="c", detail="d", time=0.0)


def test_a_flush_waits_only_for_what_was_added_before_it():
    """Under a load that never pauses each telling takes so long that there is more to tell after it."""
    more = iter(range(1, 1_000))

    async def step():
        teller.add([alert(next(more))])
        await asyncio.sleep(0)

    outlet = Outlet(step=step)
    teller = Teller("t", 0, outlet)
    teller.add([alert(0)])
    asyncio.run(teller.flush())
    assert alert(0).id in outlet.published
    assert next(more) < 10


def test_what_was_added_during_a_telling_is_told_by_the_next_one_in_order():
    published = []

    class Noting(Outlet):
        async def tell(self, partition, effects):
            await super().tell(partition, effects)
            published.extend(effect.id for effect in effects)

    async def run():
        teller = Teller("t", 0, Noting())
        teller.add([alert(0)])
        first = asyncio.create_task(teller.publish())
        await asyncio.sleep(0)
        teller.add([alert(1)])
        await teller.publish()
        await first

    asyncio.run(run())
    assert published == [alert(0).id, alert(1).id]

"""Requests wait until a model has come far enough; one task looks for all of them, and outlives what fails for one."""

import asyncio
from types import SimpleNamespace

import pytest

from headrace.agents.arrivals import Arrivals
from headrace.agents.pace import Pace


class Shards:
    task, pace = SimpleNamespace(name="ads"), Pace()

    def __init__(self):
        self.model = SimpleNamespace(position=0)

    def answering(self, partition):
        return self.model


def reached(position):
    return lambda model: model.position >= position


def test_each_request_gets_the_model_as_soon_as_it_suffices_for_it_or_nothing_in_time():
    async def run():
        shards = Shards()
        arrivals = Arrivals(shards)
        assert await arrivals.wait(0, reached(0), 0) is shards.model
        assert arrivals.checking.describe().state == "stopped", "nobody had to wait"
        near, far, never = (asyncio.ensure_future(arrivals.wait(0, reached(at), 0.2)) for at in (3, 7, 99))
        await asyncio.sleep(0.02)
        assert not near.done()
        shards.model.position = 5
        await asyncio.sleep(0.02)
        assert (near.done(), far.done()) == (True, False)
        shards.model.position = 7
        assert await far is shards.model
        assert await never is None
        await arrivals.stop()

    asyncio.run(run())


def test_a_request_comes_when_none_has_waited_for_a_while():
    async def run():
        shards = Shards()
        arrivals = Arrivals(shards)
        assert await arrivals.wait(0, reached(1), 0.001) is None
        await asyncio.sleep(0.02)
        waiting = asyncio.ensure_future(arrivals.wait(0, reached(1), 5))
        await asyncio.sleep(0)
        shards.model.position = 1
        assert await asyncio.wait_for(waiting, 1) is shards.model
        await arrivals.stop()

    asyncio.run(run())


def test_what_fails_for_one_request_is_its_own_error_and_keeps_no_other_waiting():
    async def run():
        shards, asked = Shards(), []
        arrivals = Arrivals(shards)

        def fail(model):
            asked.append(model)
            if len(asked) > 1:
                raise RuntimeError("a defect")
            return False

        failing, other = (asyncio.ensure_future(arrivals.wait(0, one, 5)) for one in (fail, reached(1)))
        await asyncio.sleep(0.01)
        shards.model.position = 1
        assert await asyncio.wait_for(other, 0.3) is shards.model
        with pytest.raises(RuntimeError, match="a defect"):
            await failing
        assert arrivals.checking.describe().failures == 0
        await arrivals.stop()

    asyncio.run(run())

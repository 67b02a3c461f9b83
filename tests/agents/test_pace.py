"""The pace that a worker is given is that of all its loops."""

import asyncio

from fakes.pace import QUICK
from worlds import run, until

from headrace.agents.arrivals import Arrivals
from headrace.agents.ingest import Ingest
from headrace.agents.learn import LearningApp
from headrace.agents.pace import Pace
from headrace.agents.source_context import SourceContext
from headrace.learning.task import Task
from headrace.learning.task.source import Source

TASK = Task(name="ads", kind="binary", partitions=2, sources=[Source(topic="clicks", label="y", features="x")])


def test_the_loops_of_a_task_have_the_pace_of_its_collaborators(world):
    async def check():
        at = world(TASK)
        at.log.grow(0, 10)
        worker = at.worker("one")
        shards = worker.shards
        shards.assign([0])
        await until(lambda: shards.owned[0].status == "live")
        shard = shards.owned[0]
        loops = [*shards.watches.values(), shards.replicas.following, Arrivals(shards).checking, shard._ticker]
        paces = [loop.pace for loop in loops] + [shards.replicas._pace, shard.progress._pace]
        assert all(pace is worker.collaborators.pace is QUICK for pace in paces)
        assert shards.watch_seconds == QUICK.watch_shards
        await worker.stop()

    run(check())


def test_the_loops_of_a_source_have_the_pace_of_its_context():
    async def check():
        pace = Pace(watch_sources=0.3)
        ingest = Ingest(SourceContext(TASK, "127.0.0.1:1", tell_group=None, pace=pace))
        ingest.assign([("clicks", 0)])
        assert ingest.watches["clicks", 0].pace is ingest.intakes["clicks", 0].context.pace is pace
        assert ingest.watch_seconds == pace.watch_sources
        ingest.close()

    asyncio.run(check())


def test_the_group_is_watched_at_the_pace_of_the_app():
    async def check():
        app = LearningApp("test", buffer_bytes=1, pace=QUICK, broker="kafka://127.0.0.1:1", store="memory://")
        return [task.pace for task in app.background]

    assert asyncio.run(check()) == [QUICK]

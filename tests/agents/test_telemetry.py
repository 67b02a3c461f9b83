"""Telemetry counts what is published, read again and saved, each once."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError
from fakes.outlet import Outlet
from worlds import learn, run, until

from headrace.agents.telemetry import Histogram, SignalSeries, Telemetry
from headrace.agents.teller import Teller
from headrace.learning.effects import Acted, Alert, Drift, Quarantined, Reacted
from headrace.learning.task import Task

TASK = Task(name="ads", kind="binary")


def refused(code="feature"):
    return Quarantined(id="ads/0/7/0/0", code=code, reason="", offset=7, row=0, key=None, value=b"")


def drift(**changed):
    fields = {"kind": "drift", "arm": "champion", "detector": "adwin", "watched": "error", "direction": "worse"}
    figures = {"before": 0.1, "after": 0.2, "width_before": 9, "width": 9, "statistic": None, "threshold": None}
    return Drift(id="ads/0/7/0/0", time=0.0, **fields | figures | changed)


def acted(command, before="a", after="b"):
    return Acted(id="ads/0/7/0/0", control=None, command=command, did="", by="", before=before, after=after, time=0.0)


def reacted(reaction, before="a", after="b"):
    told = {"signal": "", "mode": "auto", "acted": True, "did": "", "time": 0.0}
    return Reacted(id="ads/0/7/0/0", reaction=reaction, before=before, after=after, **told)


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (0.1, 0), (0.10001, 1), (1.0, 1), (1.1, 2), (1e9, 2)])
def test_a_duration_counts_in_the_first_bucket_that_it_does_not_exceed(seconds, bucket):
    histogram = Histogram([0.1, 1.0])
    histogram.observe(seconds)
    assert histogram.counts == [number == bucket for number in range(3)]


def test_signals_of_all_features_are_one_series():
    telemetry = Telemetry()
    watched = [drift(arm=None, watched=f"feature:{name}", direction="changed") for name in "abc"]
    telemetry.count(3, [drift(), drift(direction="better"), *watched])
    assert telemetry.signals == {
        SignalSeries(3, "drift", "champion", "adwin", "error", "worse"): 1,
        SignalSeries(3, "drift", "champion", "adwin", "error", "better"): 1,
        SignalSeries(3, "drift", "", "adwin", "feature", "changed"): 3,
    }


@pytest.mark.parametrize(
    ("effect", "rollbacks"),
    [
        (acted("rollback"), 1),
        (acted("rollback", after="a"), 0),
        (acted("promote"), 0),
        (reacted("rollback"), 1),
        (reacted("rollback", "", ""), 0),
        (reacted("reset"), 0),
    ],
    ids=["control", "refused", "promotion", "reaction", "reported only", "reset"],
)
def test_a_rollback_counts_if_it_has_changed_the_champion(effect, rollbacks):
    telemetry = Telemetry()
    telemetry.count(0, [effect])
    assert telemetry.rollbacks[0] == rollbacks


@pytest.mark.parametrize(
    ("effect", "promotions"),
    [
        (acted("promote"), {(0, "hand"): 1}),
        (acted("promote", after="a"), {}),
        (acted("rollback"), {}),
        (reacted("promote"), {(0, "auto"): 1}),
        (reacted("background"), {(0, "auto"): 1}),
        (reacted("background", "", ""), {}),
        (reacted("rollback"), {}),
    ],
    ids=["control", "refused", "rollback", "experiment", "background", "background begins", "reaction"],
)
def test_a_promotion_counts_by_how_if_it_has_changed_the_champion(effect, promotions):
    telemetry = Telemetry()
    telemetry.count(0, [effect])
    assert telemetry.promotions == promotions


def test_effects_that_the_outlet_does_not_take_are_counted_when_it_does():
    telemetry, failures = Telemetry(), [KafkaConnectionError("away")]

    class Fickle(Outlet):
        async def tell(self, partition, effects):
            if failures:
                raise failures.pop()

    async def check():
        teller = Teller("ads", 0, Fickle(), telemetry)
        teller.add([refused(), Alert(id="ads/0/7/0/1", code="batch_full", detail="", time=0.0)])
        with pytest.raises(KafkaConnectionError):
            await teller.publish()
        assert not telemetry.quarantined
        await teller.publish()
        await teller.publish()

    asyncio.run(check())
    assert (telemetry.quarantined, telemetry.alerts) == ({"feature": 1}, {"batch_full": 1})


def test_messages_gaps_and_snapshots_of_a_shard_are_counted(world):
    async def check():
        at = world(TASK)
        worker = at.worker("one")
        telemetry = worker.collaborators.telemetry
        worker.shards.assign([0])
        await learn(at, worker, 10)
        shard = worker.shards.owned[0]
        await until(lambda: shard.saver.position == shard.position and not shard.saver.errands.are_running)
        assert sum(telemetry.update_seconds.counts) == shard.position
        assert telemetry.gaps["log"] >= 1, "nothing was delivered: the shard has read it itself"
        assert telemetry.gap_messages["log"] == shard.position
        saved, failed = sum(telemetry.snapshot_seconds.counts), telemetry.snapshots_failed
        assert saved >= 1
        assert telemetry.snapshot_bytes > 0

        async def fail(*_):
            raise KafkaConnectionError("away")

        save, worker.collaborators.snapshots.save = worker.collaborators.snapshots.save, fail
        at.log.grow(0, 10)
        await until(lambda: telemetry.snapshots_failed > failed)
        assert sum(telemetry.snapshot_seconds.counts) == saved
        worker.collaborators.snapshots.save = save
        await worker.stop()

    run(check())

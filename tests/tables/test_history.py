"""The table of the history: it is what the topic says, bounded, and tells nothing of another log."""

import asyncio
import shutil

import msgspec
import pytest
from fakes.changelog import Changelog
from worlds import until

from headrace.agents.first_definition import write
from headrace.agents.outlet import encode
from headrace.learning.effects import ArmMeasured, Measured
from headrace.learning.rings import SIZES
from headrace.learning.task import Task
from headrace.tables import history as module
from headrace.tables.history import POINT, History, slot_key, sort_out
from headrace.testing import MemoryLog


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)


def point(number, *, ring="labels", partition=0, time=None, accuracy=0.5):
    arm = ArmMeasured(number + 2, {"accuracy": accuracy}, {"accuracy": accuracy, "roc_auc": None})
    return Measured(
        id=f"ads/{partition}/{number}/0/0",
        ring=ring,
        number=number,
        partition=partition,
        position=number,
        updates=number,
        time=float(number) if time is None else time,
        label_delay_s={"p50": None},
        arms={"champion": arm},
    )


def put(topic, *some):
    for one in some:
        topic.put(slot_key(one), encode(one))


def numbers(points, ring="labels", partition=0):
    return [one.number for one in points if (one.ring, one.partition) == (ring, partition)]


def with_history(topic, folder, check):
    async def run():
        history = History(topic, folder / "history")
        following = asyncio.create_task(history.run())
        try:
            await check(history)
        finally:
            following.cancel()
            await asyncio.wait([following])
            await history.stop()

    asyncio.run(run())


async def told(history, wanted):
    """Wait until a history tells the points of these numbers, or as many points; return them."""

    def has_all():
        if not history._table.opened():
            return False
        points = history.points()
        return len(points) == wanted if isinstance(wanted, int) else [one.number for one in points] == list(wanted)

    await until(has_all)
    return history.points()


def test_every_worker_tells_what_the_shards_have_published(tmp_path):
    topic = Changelog()
    put(topic, point(1, partition=1), point(0), point(0, partition=1), point(1))

    async def check(history):
        points = await told(history, 4)
        assert [(one.partition, one.number) for one in points] == [(0, 0), (0, 1), (1, 0), (1, 1)]
        assert points[1] == point(1)
        put(topic, point(2))
        assert numbers(await told(history, 5)) == [0, 1, 2]

    with_history(topic, tmp_path / "one", check)
    with_history(topic, tmp_path / "two", check_again := lambda history: told(history, 5))
    topic.is_away = True  # a worker that has once read them tells them while the broker is away
    with_history(topic, tmp_path / "one", check_again)


def test_a_ring_is_bounded_and_holds_the_last_points(tmp_path):
    topic = Changelog()
    put(topic, *(point(number, ring=ring) for ring in SIZES for number in range(1_000)))
    put(topic, point(0, partition=1))
    last = slot_key(point(0, partition=1))

    async def bounded(history):
        await until(lambda: history._table.opened() and len(history._table.get(0, POINT + last) or b"") > 0)
        assert len(list(history._table.items(0, POINT))) == sum(SIZES.values()) + 1
        # The rings of a shard have points of the same moments here, which come once.
        points = [one for one in history.points() if one.partition == 0]
        assert [one.number for one in points] == [*range(1_000 - max(SIZES.values()), 1_000)]

    with_history(topic, tmp_path, bounded)
    with_history(topic.compacted(), tmp_path / "compacted", bounded)


def test_what_is_published_again_after_a_crash_changes_nothing(tmp_path):
    topic = Changelog()
    put(topic, *(point(number) for number in range(500)))
    put(topic, *(point(number) for number in range(120, 500)))

    async def check(history):
        await told(history, range(140, 500))

    with_history(topic, tmp_path, check)


def test_points_that_an_earlier_owner_publishes_late_hide_none():
    points = {slot_key(one): one for one in [*map(point, range(400)), point(5), point(6)]}
    assert numbers(sort_out(points.values())) == [number for number in range(40, 400) if number not in (365, 366)]


def test_the_points_of_the_log_before_are_not_told():
    before = [point(number, time=float(number)) for number in range(300)]
    anew = [point(number, time=1_000.0 + number, accuracy=0.9) for number in range(3)]
    points = {slot_key(one): one for one in [*before, *anew]}
    assert sort_out(points.values()) == anew


def test_a_topic_that_was_made_anew_is_read_anew(tmp_path):
    topic = Changelog()
    put(topic, *(point(number) for number in range(5)))
    with_history(topic, tmp_path, lambda history: told(history, 5))
    anew = Changelog()
    put(anew, *(point(number, accuracy=0.7) for number in range(9)))

    async def check(history):
        assert await told(history, 9) == [point(number, accuracy=0.7) for number in range(9)]

    with_history(anew, tmp_path, check)


def test_a_database_that_was_lost_is_filled_again(tmp_path):
    topic = Changelog()
    put(topic, *(point(number) for number in range(5)))
    with_history(topic, tmp_path, lambda history: told(history, 5))
    shutil.rmtree(tmp_path / "history")
    with_history(topic, tmp_path, lambda history: told(history, 5))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"0/labels/1", b"{"),
        (b"0/labels/1", b"\xff"),
        (b"0/labels/1", b"[" * 100_000),
        (b"0/labels/1", encode(point(2))),
        (b"0/labels/1", encode(point(1)).replace(b'"labels"', b'"days"')),
        (b"0/labels/1", encode(point(1)).replace(b"0.5", b'"high"')),
        (b"\0offset", encode(point(1))),
        (b"1/labels/1", encode(point(1))),
    ],
)
def test_what_is_no_point_of_its_slot_is_left_out(tmp_path, key, value):
    topic = Changelog()
    put(topic, point(0))
    topic.put(key, value)
    put(topic, point(3))

    async def check(history):
        assert numbers(await told(history, 2)) == [0, 3]

    with_history(topic, tmp_path, check)


def test_a_removed_entry_is_told_no_more(tmp_path):
    topic = Changelog()
    put(topic, point(0), point(1))
    topic.put(slot_key(point(0)), None)

    async def check(history):
        assert numbers(await told(history, 1)) == [1]

    with_history(topic, tmp_path, check)


def test_a_point_is_read_as_it_was_written():
    one = point(7)
    assert module.read_point(encode(one)) == one
    assert msgspec.json.decode(encode(one))["effect"] == "measured"


@pytest.mark.parametrize("model", ["logistic", "hoeffding_tree"])
def test_a_point_at_the_first_label_is_not_told(model):
    """The first definition of an empty log has the timestamp 0, so that an hour of log time ends at the first label, which says nothing."""
    log = MemoryLog(Task(name="ads", kind="binary", model=model))
    log.append(msgspec.json.decode(write(log.fold().learner.state)), timestamp=0)
    for number in range(101):
        log.append({"features": {"x": 1.0}, "label": True}, timestamp=1_700_000_000_000 + number)
    measured = [effect for effect in log.fold().effects if isinstance(effect, Measured)]
    assert [one.updates for one in measured] == [1, 100]
    assert [one.updates for one in sort_out(measured)] == [100]

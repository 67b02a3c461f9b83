"""The embedded feature store: the topic is the truth, the last message of an entity says it all, and time passes."""

import asyncio
import json
import shutil
import time
import uuid

import harness
import pytest
from fakes.changelog import Changelog
from stores import start, stop
from worlds import until

from headrace.learning.task import Stored, Task
from headrace.tables import features as module
from headrace.tables.changelog import KafkaChangelog
from headrace.tables.features import EmbeddedStore
from headrace.tables.kafka.producer import producing
from headrace.tables.kafka.topics import prepare, topics_of

TASK = Task(name="ads", kind="binary", stored={"clicks": Stored(default=0), "country": Stored()})


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)


def value(**features):
    return json.dumps(features).encode()


def store_of(topic, folder, ttl=None, task=TASK):
    return EmbeddedStore(task, topic, ttl, folder, clock=lambda: topic.now / 1000)


async def caught_up(store, topic):
    """Wait until a store has followed the whole topic."""
    mark = f"mark-{uuid.uuid4()}".encode()
    topic.put(mark, value(clicks=-1), time=10**15)
    await until(lambda: store.is_current and store._table.get(0, b"k" + mark) is not None)


def with_store(folder, check, topic=None, ttl=None):
    async def run():
        followed = Changelog() if topic is None else topic
        store = store_of(followed, folder, ttl)
        start(store)
        try:
            await check(store, followed)
        finally:
            await stop(store)

    asyncio.run(run())


def test_what_one_worker_writes_every_worker_looks_up(tmp_path):
    async def check(store, topic):
        other = store_of(topic, tmp_path / "other")
        start(other)
        assert await store.write("u1", {"clicks": 3, "country": "PT"}) == 0
        assert await store.write("u2", {"clicks": 4}) == 1
        for worker in (store, other):
            await caught_up(worker, topic)
            found = await worker.look_up(["u2", "nobody", "u1"])
            assert found == [{"clicks": 4}, {}, {"clicks": 3, "country": "PT"}]
        await stop(other)

    with_store(tmp_path / "one", check)


def test_the_last_message_of_an_entity_replaces_those_before_and_null_is_nothing(tmp_path):
    async def check(store, topic):
        topic.put(b"u1", value(clicks=1, country="PT"))
        topic.put(b"u2", value(clicks=1, country="PT"))
        topic.put(b"u3", value(clicks=1, country="PT"))
        topic.put(b"u1", value(clicks=2))
        topic.put(b"u2", value(clicks=None, country="DE"))
        topic.put(b"u3", None)
        await caught_up(store, topic)
        assert await store.look_up(["u1", "u2", "u3"]) == [{"clicks": 2}, {"country": "DE"}, {}]

    with_store(tmp_path, check)


def test_a_store_filled_from_the_compacted_topic_equals_one_that_followed_it_all(tmp_path):
    async def check(store, topic):
        keys = [f"u{number % 5}" for number in range(60)]
        for number, key in enumerate(keys):
            message = [value(clicks=number), value(country=f"c{number}"), None, b"garbage"][number % 7 % 4]
            topic.put(key.encode(), message)
        await caught_up(store, topic)
        followed = await store.look_up(sorted(set(keys)))
        assert any(followed)
        topic.entries = topic.compacted(tombstones=True).entries
        late = store_of(topic, tmp_path / "late")
        start(late)
        await caught_up(late, topic)
        assert await late.look_up(sorted(set(keys))) == followed
        await stop(late)

    with_store(tmp_path / "one", check)


def test_only_declared_features_are_looked_up(tmp_path):
    async def check(store, topic):
        topic.put(b"u1", value(clicks=1, another=2))
        await caught_up(store, topic)
        assert await store.look_up(["u1"]) == [{"clicks": 1}]

    with_store(tmp_path, check)


def test_a_value_expires_by_the_time_of_its_record_and_is_purged(tmp_path):
    async def check(store, topic):
        topic.put(b"old", value(clicks=1), time=topic.now - 11_000)
        topic.put(b"young", value(clicks=2), time=topic.now - 9_000)
        await caught_up(store, topic)
        assert await store.look_up(["old", "young"]) == [{}, {"clicks": 2}]
        topic.now += 2_000
        assert await store.look_up(["young"]) == [{}]
        await until(lambda: not any(store._table.get(0, key) for key in (b"kold", b"kyoung")))

    with_store(tmp_path, check, ttl=10)


def test_purging_goes_over_all_entities_slice_by_slice(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SLICE", 3)

    async def check(store, topic):
        for number in range(20):
            topic.put(b"e%02d" % number, value(clicks=1), time=topic.now - 9_000 * (number % 2 == 0))
        await caught_up(store, topic)
        topic.now += 5_000
        left = [b"ke%02d" % number for number in range(1, 20, 2)]
        await until(lambda: [key for key, _ in store._table.items(0, b"ke")] == left)

    with_store(tmp_path, check, ttl=10)


def test_a_value_stamped_in_the_future_lives_from_when_it_was_first_read(tmp_path):
    async def check(store, topic):
        topic.put(b"ahead", value(clicks=1), time=topic.now + 3_600_000)
        await caught_up(store, topic)
        (entity,) = await store.read(["ahead"])
        assert entity.time == topic.now / 1000
        topic.now += 9_000
        assert await store.look_up(["ahead"]) == [{"clicks": 1}]
        topic.now += 2_000
        assert await store.look_up(["ahead"]) == [{}]
        await until(lambda: store._table.get(0, b"kahead") is None)

    with_store(tmp_path, check, ttl=10)


def test_a_restart_does_not_lengthen_the_life_of_a_value_stamped_in_the_future(tmp_path):
    topic = Changelog()

    async def fill(store, topic):
        topic.put(b"ahead", value(clicks=1), time=topic.now + 3_600_000)
        await caught_up(store, topic)

    async def check(store, topic):
        await caught_up(store, topic)
        assert await store.look_up(["ahead"]) == [{}]

    with_store(tmp_path, fill, topic, ttl=10)
    topic.now += 11_000
    with_store(tmp_path, check, topic, ttl=10)


def test_without_a_time_to_live_nothing_expires(tmp_path):
    async def check(store, topic):
        topic.put(b"u1", value(clicks=1), time=0)
        await caught_up(store, topic)
        assert (await store.read(["u1"]))[0] == ({"clicks": 1}, 0.0)

    with_store(tmp_path, check)


GARBAGE = [
    b"",
    b"{",
    b"[1]",
    b"null",
    b"\xff\xfe",
    b'{"clicks": NaN}',
    b"[" * 100_000,
    b'{"clicks": 1, "clicks": 9}',
    b'{"clicks": 1, "\\u0063licks": 9}',
    b'{"clicks": null, "clicks": 9}',
    b'{"other": {"a": 1, "a": 2}}',
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_message_that_is_no_object_of_distinct_features_leaves_its_entity_without_features_and_is_counted(
    tmp_path, garbage
):
    async def check(store, topic):
        topic.put(b"u1", value(clicks=1))
        topic.put(b"u1", garbage)
        topic.put(b"u2", value(clicks=2))
        await caught_up(store, topic)
        assert await store.look_up(["u1", "u2"]) == [{}, {"clicks": 2}]
        assert store.refused == 1

    with_store(tmp_path, check)


def test_a_value_with_a_colon_is_no_key_that_stands_twice(tmp_path):
    async def check(store, topic):
        topic.put(b"u1", value(country="a:b", clicks=1))
        await caught_up(store, topic)
        assert await store.look_up(["u1"]) == [{"clicks": 1, "country": "a:b"}]
        assert store.refused == 0

    with_store(tmp_path, check)


def test_no_key_of_an_entity_is_one_of_the_tables_own(tmp_path):
    async def check(store, topic):
        for key in (b"\0offset", b"\0last", b"", b"k"):
            topic.put(key, value(clicks=1))
        await caught_up(store, topic)
        assert await store.look_up(["\0offset", "\0last", "k"]) == [{"clicks": 1}] * 3

    with_store(tmp_path, check)


def test_a_deleted_folder_is_filled_again(tmp_path):
    topic = Changelog()

    async def check(store, topic):
        topic.put(b"u1", value(clicks=1))
        await caught_up(store, topic)
        assert await store.look_up(["u1"]) == [{"clicks": 1}]

    with_store(tmp_path, check, topic)
    shutil.rmtree(tmp_path)
    with_store(tmp_path, check, topic)


def test_a_topic_that_is_made_anew_under_a_follower_is_read_from_its_beginning(tmp_path):
    async def check(store, topic):
        for number in range(20):
            topic.put(b"u%d" % number, value(clicks=1))
        await caught_up(store, topic)
        topic.entries.clear()
        topic.put(b"u1", value(clicks=2))
        await until(lambda: store._table.get(0, b"ku2") is None)
        await caught_up(store, topic)
        assert await store.look_up(["u1", "u2"]) == [{"clicks": 2}, {}]

    with_store(tmp_path, check)


def test_a_broker_that_is_away_takes_nothing_from_the_look_ups(tmp_path):
    topic = Changelog()

    async def fill(store, topic):
        topic.put(b"u1", value(clicks=1))
        await caught_up(store, topic)

    async def check(store, topic):
        await until(lambda: store._table.opened() == [0])
        for _ in range(5):
            await asyncio.sleep(0.02)
            assert await store.look_up(["u1"]) == [{"clicks": 1}]
        assert not store.is_current
        topic.is_away = False
        topic.put(b"u1", value(clicks=2))
        await caught_up(store, topic)
        assert await store.look_up(["u1"]) == [{"clicks": 2}]

    with_store(tmp_path, fill, topic)
    topic.is_away = True
    with_store(tmp_path, check, topic)


def test_through_kafka_a_team_s_own_producer_and_a_worker_write_the_same_entity(broker, tmp_path):
    task = Task(name=f"store-{uuid.uuid4().hex[:8]}", kind="binary", stored={"clicks": Stored()})
    topic = f"{task.name}.features"

    async def check():
        await prepare(broker, topics_of(task))
        store = EmbeddedStore(task, KafkaChangelog(topic, broker), 3600, tmp_path)
        start(store)
        now = time.time()
        async with producing(broker) as producer:
            await producer.send_and_wait(topic, value(clicks=1), key=b"u1")
            await producer.send_and_wait(topic, value(clicks=1), key=b"u2", timestamp_ms=int(1000 * (now - 3700)))
            await producer.send_and_wait(topic, value(clicks=1), key=b"u3", timestamp_ms=int(1000 * (now - 1800)))
        offset = await store.write("u1", {"clicks": 2})
        assert offset == 3
        await until(lambda: store._table.opened() and store._table.get(0, b"ku1") is not None)
        last = await store.write("last", {"clicks": 0})
        await until(lambda: store._table.get(0, b"klast") is not None)
        assert last == 4
        assert await store.look_up(["u1", "u2", "u3"]) == [{"clicks": 2}, {}, {"clicks": 1}]
        (old,) = await store.read(["u3"])
        assert abs(old.time - (now - 1800)) < 0.01
        await store.write("u1", None)
        await store.write("last2", {"clicks": 0})
        await until(lambda: store._table.get(0, b"klast2") is not None)
        assert await store.look_up(["u1"]) == [{}]
        await stop(store)

    asyncio.run(check())
    (at,) = [at for at in asyncio.run(harness.read_all(broker, topic)) if at.key == b"u1" and at.value is None]
    assert at.offset == 5


def test_a_cancellation_of_a_librarys_own_does_not_end_the_follower(tmp_path):
    """aiokafka raises one when a consumer is closed while the broker is away."""

    class Cancelling(Changelog):
        raises = 2

        async def follow(self, partition, start):
            async for entries in super().follow(partition, start):
                if self.raises:
                    self.raises -= 1
                    raise asyncio.CancelledError
                yield entries

    async def check(store, topic):
        await until(lambda: topic.raises == 0)
        topic.put(b"u1", value(clicks=3))
        await caught_up(store, topic)
        assert await store.look_up(["u1"]) == [{"clicks": 3}]

    with_store(tmp_path, check, Cancelling())


def test_a_look_up_ends_without_a_turn_of_the_event_loop(tmp_path):
    async def check(store, topic):
        topic.put(b"u1", value(clicks=3), time=0)
        await caught_up(store, topic)
        assert store.is_immediate
        with pytest.raises(StopIteration) as ended:
            store.look_up(["u1", "u2"]).send(None)
        assert ended.value.value == [{"clicks": 3}, {}]

    with_store(tmp_path, check)

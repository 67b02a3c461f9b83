"""The feature store in Redis, on a real redis-server that is killed, paused and fed with garbage."""

import asyncio
import json
import logging
import random
import time
from functools import partial

import msgspec
import pytest
import worlds
from fakes.changelog import Changelog
from redis_server import NEEDED, running_redis
from stores import start, stop
from structlog.testing import capture_logs

from headrace.learning.task import Stored, Task
from headrace.tables import features as module
from headrace.tables import redis_features as redis_module
from headrace.tables.enricher import SLOW_MAX, Enricher
from headrace.tables.features import EmbeddedStore
from headrace.tables.redis_features import RedisStore

pytestmark = NEEDED

TASK = Task(name="ads", kind="binary", stored={"clicks": Stored(default=0), "country": Stored(default="none")})
DEFAULTS = {"clicks": 0, "country": "none"}
POSITION = "headrace:{ads}"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)


@pytest.fixture
def redis(tmp_path):
    with running_redis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def topic():
    made = Changelog()
    made.now = int(time.time() * 1000)
    return made


def value(**features):
    return json.dumps(features).encode()


until = partial(worlds.until, seconds=10)


async def caught_up(redis, topic):
    await until(lambda: int(redis.client.hget(POSITION, "position") or 0) == topic.end())


def with_stores(topic, redis, check, count=1, ttl=None, clock=time.time):
    async def run():
        stores = [RedisStore(TASK, topic, ttl, redis.url, clock) for _ in range(count)]
        for store in stores:
            start(store)
        try:
            await check(*stores)
        finally:
            for store in stores:
                await stop(store)

    asyncio.run(run())


def counts(enricher):
    return {name: count for name, count in msgspec.structs.asdict(enricher.counts).items() if count}


def test_what_is_written_is_looked_up_in_one_go_and_in_the_keys_order(redis, topic):
    async def check(store):
        await store.write("u1", {"clicks": 3, "country": "PT"})
        await store.write("u2", {"clicks": 4})
        await store.write("u3", {"clicks": 5})
        await store.write("u3", None)
        topic.put(b"u1", value(clicks=2.5, country=None, another=1))
        await caught_up(redis, topic)
        assert await store.look_up(["u2", "nobody", "u1", "u3"]) == [{"clicks": 4}, {}, {"clicks": 2.5}, {}]
        (entity,) = await store.read(["u1"])
        assert entity.time == topic.now / 1000

    with_stores(topic, redis, check)


def test_values_expire_in_redis_by_the_time_of_their_record(redis, topic):
    async def check(store):
        topic.put(b"old", value(clicks=1), time=topic.now - 101_000)
        topic.put(b"young", value(clicks=2), time=topic.now - 50_000)
        await caught_up(redis, topic)
        assert await store.look_up(["old", "young"]) == [{}, {"clicks": 2}]
        assert redis.client.execute_command("PEXPIRETIME", "headrace:{ads}:young") == topic.now + 50_000
        topic.put(b"young", value(clicks=3), time=topic.now)
        await caught_up(redis, topic)
        assert redis.client.execute_command("PEXPIRETIME", "headrace:{ads}:young") == topic.now + 100_000

    with_stores(topic, redis, check, ttl=100)


def test_a_value_stamped_in_the_future_lives_in_redis_from_when_it_was_first_read(redis, topic):
    async def check(store):
        topic.put(b"ahead", value(clicks=1), time=topic.now + 3_600_000)
        await caught_up(redis, topic)
        assert await store.read(["ahead"]) == [({"clicks": 1}, topic.now / 1000)]
        assert redis.client.execute_command("PEXPIRETIME", "headrace:{ads}:ahead") == topic.now + 100_000

    with_stores(topic, redis, check, ttl=100, clock=lambda: topic.now / 1000)


def test_a_shorter_time_to_live_counts_for_what_is_stored_already(redis, topic):
    async def check(store):
        topic.put(b"old", value(clicks=1), time=topic.now - 50_000)
        await caught_up(redis, topic)
        assert await store.look_up(["old"]) == [{"clicks": 1}]
        store.ttl = 40.0
        assert await store.look_up(["old"]) == [{}]

    with_stores(topic, redis, check, ttl=100)


def test_several_workers_write_as_one_and_come_to_what_the_embedded_store_has(redis, topic, tmp_path):
    chance = random.Random(5)
    keys = [f"u{number}" for number in range(12)]

    def write_some():
        for _ in range(400):
            message = chance.choice([value(clicks=chance.random()), value(country="PT"), value(), None, b"[]"])
            topic.put(chance.choice(keys).encode(), message)

    async def check(*stores):
        write_some()
        await asyncio.sleep(0.05)
        write_some()
        embedded = EmbeddedStore(TASK, topic, None, tmp_path / "embedded")
        start(embedded)
        await caught_up(redis, topic)
        topic.put(b"mark", value(clicks=1))
        await until(lambda: embedded._table.opened() and embedded._table.get(0, b"kmark") is not None)
        wanted = await embedded.look_up(keys)
        assert any(wanted)
        assert [await store.look_up(keys) for store in stores] == [wanted] * len(stores)
        await stop(embedded)

    with_stores(topic, redis, check, count=3)


@pytest.mark.parametrize("mutant", [False, True])
def test_a_worker_that_lags_writes_nothing_old_over_something_new(redis, topic, monkeypatch, mutant):
    async def check(ahead):
        topic.put(b"u1", value(clicks=1))
        topic.put(b"u2", value(clicks=1))
        topic.put(b"u1", None)
        topic.put(b"u2", value(clicks=2))
        await caught_up(redis, topic)
        if mutant:  # one that writes without looking at the position
            monkeypatch.setattr(redis_module, "APPLY", redis_module.APPLY.replace("return known end", "end", 1))
        lagging = RedisStore(TASK, topic, None, redis.url)
        reached = await lagging._apply(topic.entries[0][:2], 0)
        right = (reached, await ahead.look_up(["u1", "u2"])) == (4, [{}, {"clicks": 2}])
        assert right is not mutant
        await lagging.stop()

    with_stores(topic, redis, check)


def test_redis_killed_in_the_middle_costs_no_answer_and_is_filled_again(redis, topic):
    async def check(store):
        enricher = Enricher(TASK, store, budget=5)
        for number in range(30):
            topic.put(b"u%d" % number, value(clicks=number, country="PT"))
        await caught_up(redis, topic)
        rows = [("u7", {"x": 1})]
        found = [{"x": 1, "clicks": 7, "country": "PT"}]
        assert await enricher.enrich(rows) == found
        redis.kill()
        for _ in range(20):
            assert await enricher.enrich(rows) == [{"x": 1} | DEFAULTS]
        assert counts(enricher) == {"found": 2, "failed": 40, "defaulted": 40}
        topic.put(b"u8", value(clicks=88))  # written while it is down
        redis.start()
        assert redis.client.dbsize() <= 1  # nothing of it has outlived the kill
        await caught_up(redis, topic)
        assert await store.look_up(["u8", "u29"]) == [{"clicks": 88}, {"clicks": 29, "country": "PT"}]
        enricher._retry_at = 0  # a second has passed
        assert await enricher.enrich(rows) == found

    with_stores(topic, redis, check)


def test_redis_that_comes_back_with_an_older_dump_catches_up_from_its_own_position(redis, topic):
    async def check(store):
        topic.put(b"u1", value(clicks=1))
        topic.put(b"u2", value(clicks=1))
        await caught_up(redis, topic)
        redis.client.save()
        topic.put(b"u1", None)
        topic.put(b"u2", value(clicks=2))
        await caught_up(redis, topic)
        redis.kill()
        redis.start()
        await caught_up(redis, topic)
        assert await store.look_up(["u1", "u2"]) == [{}, {"clicks": 2}]

    with_stores(topic, redis, check)


def test_redis_paused_in_the_middle_is_not_waited_for_and_mixes_up_no_answers_afterwards(redis, topic):
    async def check(store):
        enricher = Enricher(TASK, store, budget=0.05)
        for number in range(30):
            topic.put(b"u%d" % number, value(clicks=number, country="PT"))
        await caught_up(redis, topic)
        assert (await enricher.enrich([("u1", {})]))[0]["clicks"] == 1
        redis.signal("SIGSTOP")
        try:
            for number in range(20):
                assert await enricher.enrich([(f"u{number}", {})]) == [DEFAULTS]
        finally:
            redis.signal("SIGCONT")
        # Had a look-up waited for Redis rather than for its budget, it would have failed after seconds and not been slow.
        told = counts(enricher)
        assert (told["slow"], told["failed"]) == (2 * SLOW_MAX, 2 * (20 - SLOW_MAX))
        enricher.budget, enricher._retry_at = 5, 0
        assert (await enricher.enrich([("u1", {})]))[0]["clicks"] == 1
        answers = await asyncio.gather(*(enricher.enrich([(f"u{number}", {})]) for number in range(30)))
        assert [row["clicks"] for (row,) in answers] == list(range(30))
        assert enricher.counts.failed == told["failed"]

    with_stores(topic, redis, check)


def test_garbage_in_redis_is_wrong_is_counted_and_is_mended_by_the_next_message(redis, topic):
    async def check(store):
        for key in (b"u1", b"u2", b"u3", b"u4"):
            topic.put(key, value(clicks=1, country="PT"))
        await caught_up(redis, topic)
        redis.client.set("headrace:{ads}:u1", "a string where a hash should be")
        redis.client.hset("headrace:{ads}:u2", mapping={"clicks": "{not json", "country": b"\xff"})
        redis.client.hset("headrace:{ads}:u3", mapping={"clicks": '"many"', "country": "[1]"})
        enricher = Enricher(TASK, store, budget=5)
        rows = [(f"u{number}", {}) for number in (1, 2, 3, 4)]
        assert await enricher.enrich(rows) == [DEFAULTS] * 3 + [{"clicks": 1, "country": "PT"}]
        assert counts(enricher) == {"found": 2, "wrong": 6, "defaulted": 6}
        for key in (b"u1", b"u2", b"u3"):
            topic.put(key, value(clicks=2))
        await caught_up(redis, topic)
        assert await store.look_up(["u1", "u2", "u3"]) == [{"clicks": 2}] * 3

    with_stores(topic, redis, check)


@pytest.mark.parametrize("spoil", ["string", "text", "gone"])
def test_a_position_that_is_garbage_or_gone_fills_redis_again(redis, topic, spoil):
    async def check(store):
        for number in range(5):
            topic.put(b"u%d" % number, value(clicks=number))
        await caught_up(redis, topic)
        redis.client.flushall()
        if spoil == "string":
            redis.client.set(POSITION, "x")
        elif spoil == "text":
            redis.client.hset(POSITION, "position", "far")
        await until(lambda: redis.client.type(POSITION) == b"hash" and redis.client.exists("headrace:{ads}:u4"))
        await caught_up(redis, topic)
        assert await store.look_up(["u0", "u4"]) == [{"clicks": 0}, {"clicks": 4}]

    with_stores(topic, redis, check)


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(redis, topic):
    async def fill(store):
        for number in range(5):
            topic.put(b"u%d" % number, value(clicks=number))
        await caught_up(redis, topic)

    async def check(store):
        await caught_up(redis, topic)
        await until(lambda: redis.client.hget("headrace:{ads}:u1", "clicks") == b"99")

    with_stores(topic, redis, fill)
    topic.entries.clear()
    for _ in range(9):
        topic.put(b"u1", value(clicks=99))
    with_stores(topic, redis, check)


@pytest.mark.parametrize("right", [True, False])
def test_a_password_opens_redis_and_is_told_to_nobody(tmp_path, topic, caplog, capfd, right):
    caplog.set_level(logging.DEBUG)

    async def check(server):
        url = server.url if right else server.url.replace("correct-horse", "wrong-battery")
        store = RedisStore(TASK, topic, None, url)
        start(store)
        topic.put(b"u1", value(clicks=1))
        enricher = Enricher(TASK, store, budget=5)
        if right:
            await caught_up(server, topic)
            assert (await enricher.enrich([("u1", {})]))[0]["clicks"] == 1
        else:
            assert await enricher.enrich([("u1", {})]) == [DEFAULTS]
            await until(lambda: any("cannot follow" in line["event"] for line in logged))
        server.kill()
        enricher._retry_at = 0
        await enricher.enrich([("u1", {})])
        await asyncio.sleep(0.2)
        await stop(store)

    with running_redis(tmp_path, password="correct-horse") as server, capture_logs() as logged:
        asyncio.run(check(server))
    out, err = capfd.readouterr()
    told = repr(logged) + caplog.text + out + err
    assert logged
    assert "correct-horse" not in told
    assert "wrong-battery" not in told

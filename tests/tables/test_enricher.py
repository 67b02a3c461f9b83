"""Enrichment: whatever the store does, every row comes back, in time, and every value is counted."""

import asyncio
import math

import msgspec
import pytest

from headrace.learning.task import Feature, Stored, Task
from headrace.tables.enricher import RETRY_SECONDS, SLOW_MAX, Enricher
from headrace.tables.features import FeatureStore

TASK = Task(
    name="ads",
    kind="binary",
    stored={"clicks": Stored(default=0), "country": Stored(default="none"), "score": Stored()},
)


class Store(FeatureStore):
    """A store that does what it is told, and notes what it was asked."""

    def __init__(self, **entities):
        self.entities, self.asked, self.does = entities, [], None

    async def look_up(self, keys):
        self.asked.append(list(keys))
        if isinstance(self.does, Exception):
            raise self.does
        if self.does is not None:
            return await self.does(keys)
        return [self.entities.get(key, {}) for key in keys]


async def never(keys):
    await asyncio.Event().wait()


def enriched(enricher, *rows):
    return asyncio.run(enricher.enrich(rows))


def counts(enricher):
    return {name: count for name, count in msgspec.structs.asdict(enricher.counts).items() if count}


def test_what_a_row_carries_itself_is_neither_looked_up_nor_replaced():
    store = Store(u1={"clicks": 3, "country": "PT", "score": 0.5})
    enricher = Enricher(TASK, store)
    own = {"clicks": 9, "country": "DE", "score": 0.1}
    assert enriched(enricher, ("u1", own)) == [own]
    assert store.asked == []
    assert enriched(enricher, ("u1", {"clicks": 9})) == [{"clicks": 9, "country": "PT", "score": 0.5}]
    assert counts(enricher) == {"found": 2}


def test_a_batch_is_one_look_up_of_each_key_once():
    store = Store(u1={"clicks": 1}, u2={"clicks": 2})
    rows = [("u1", {"x": 1}), ("u2", {}), ("u1", {}), (None, {}), ("u3", {})]
    answer = enriched(Enricher(TASK, store, budget=5), *rows)
    assert [row["clicks"] for row in answer] == [1, 2, 1, 0, 0]
    assert answer[0]["x"] == 1
    assert store.asked == [["u1", "u2", "u3"]]


def test_the_rows_that_were_given_are_not_changed():
    given = {"x": 1}
    enriched(Enricher(TASK, Store(u1={"clicks": 1})), ("u1", given))
    assert given == {"x": 1}


def test_what_is_not_found_has_its_default_and_without_one_is_left_out():
    enricher = Enricher(TASK, Store())
    assert enriched(enricher, ("u1", {}), (None, {})) == [{"clicks": 0, "country": "none"}] * 2
    assert counts(enricher) == {"missing": 6, "defaulted": 4}


@pytest.mark.parametrize("bad", ["many", True, None, [1], {"a": 1}, math.nan, math.inf, 2.0**65, 2**64])
def test_a_wrong_value_is_replaced_by_the_default_and_counted(bad):
    enricher = Enricher(TASK, Store(u1={"clicks": bad, "country": "PT"}))
    assert enriched(enricher, ("u1", {})) == [{"clicks": 0, "country": "PT"}]
    assert counts(enricher) == {"found": 1, "missing": 1, "wrong": 1, "defaulted": 1}


def test_a_value_outside_of_what_the_task_declares_is_wrong():
    declared = {"clicks": Feature(type="int", min=0, max=10), "country": Feature(type="string", values=["PT", "none"])}
    stored = {"clicks": Stored(default=0), "country": Stored(default="none")}
    task = Task(name="ads", kind="binary", features=declared, stored=stored)
    enricher = Enricher(task, Store(u1={"clicks": 11, "country": "XX"}, u2={"clicks": 10, "country": "PT"}))
    assert enriched(enricher, ("u1", {}), ("u2", {})) == [stored_defaults(task), {"clicks": 10, "country": "PT"}]
    assert counts(enricher) == {"found": 2, "wrong": 2, "defaulted": 2}


def stored_defaults(task):
    return {name: stored.default for name, stored in task.stored.items()}


@pytest.mark.parametrize("error", [ConnectionError(), KeyError(0), TimeoutError("the store's own"), RecursionError()])
def test_a_store_that_raises_costs_no_answer_and_is_left_alone_for_a_while(error):
    now = [100.0]
    store = Store(u1={"clicks": 1})
    enricher = Enricher(TASK, store, clock=lambda: now[0])
    store.does = error
    for _ in range(10):
        assert enriched(enricher, ("u1", {})) == [{"clicks": 0, "country": "none"}]
    assert len(store.asked) == 1
    now[0] += RETRY_SECONDS + 0.01
    for _ in range(10):
        enriched(enricher, ("u1", {}))
    assert len(store.asked) == 2
    assert counts(enricher) == {"failed": 60, "defaulted": 40}
    store.does = None
    now[0] += RETRY_SECONDS + 0.01
    for _ in range(10):
        assert enriched(enricher, ("u1", {}))[0]["clicks"] == 1
    assert len(store.asked) == 12


def test_a_store_that_never_answers_is_waited_for_within_the_budget_and_then_left_alone():
    now = [100.0]
    store = Store()
    store.does = never
    enricher = Enricher(TASK, store, budget=0.005, clock=lambda: now[0])
    for _ in range(10):
        assert enriched(enricher, ("u1", {})) == [{"clicks": 0, "country": "none"}]
    assert len(store.asked) == SLOW_MAX
    assert counts(enricher) == {"slow": 3 * SLOW_MAX, "failed": 3 * (10 - SLOW_MAX), "defaulted": 20}


def test_one_slow_look_up_among_good_ones_does_not_stop_the_asking():
    store = Store(u1={"clicks": 1})
    enricher = Enricher(TASK, store, budget=0.02)
    for _ in range(3 * SLOW_MAX):
        store.does = never
        enriched(enricher, ("u1", {}))
        store.does = None
        assert enriched(enricher, ("u1", {}))[0]["clicks"] == 1


def test_while_a_failed_store_is_tried_again_only_one_answer_waits_for_it():
    now = [100.0]
    store = Store()
    store.does = ConnectionError()
    enricher = Enricher(TASK, store, budget=0.02, clock=lambda: now[0])
    enriched(enricher, ("u1", {}))
    now[0] += RETRY_SECONDS + 0.01
    store.does = never

    async def many():
        return await asyncio.gather(*(enricher.enrich([("u1", {})]) for _ in range(20)))

    assert len(asyncio.run(many())) == 20
    assert len(store.asked) == 2


@pytest.mark.parametrize("answer", [None, [], [{}, {}], [None], [[]], 5, "ab"])
def test_an_answer_of_the_wrong_shape_is_a_failure_not_an_error(answer):
    store = Store()

    async def answer_so(keys):
        return answer

    store.does = answer_so
    enricher = Enricher(TASK, store)
    assert enriched(enricher, ("u1", {})) == [{"clicks": 0, "country": "none"}]
    assert sum(counts(enricher).values()) == 3 + 2


def test_every_wanted_value_is_counted_once_whatever_happened():
    store = Store(u1={"clicks": 1, "country": 5}, u2={"score": "x"})
    now = [100.0]
    enricher = Enricher(TASK, store, budget=0.01, clock=lambda: now[0])
    behaviours = [None, ConnectionError(), never, None, never, None, ValueError(), never, never, never, never]
    for number, behaviour in enumerate(behaviours):
        store.does = behaviour
        now[0] += 0.7 * (number % 3)
        enriched(enricher, ("u1", {}), ("u2", {}), (None, {}))
    told = msgspec.structs.asdict(enricher.counts)
    assert sum(told[name] for name in ("found", "missing", "failed", "slow", "wrong")) == 9 * len(behaviours)
    assert all(told.values())


def test_a_store_that_answers_at_once_is_waited_for_by_nobody():
    store = Store(u1={"clicks": 3})
    store.is_immediate = True
    enricher = Enricher(TASK, store)
    for does, clicks in ((None, 3), (OSError("away"), 0)):
        store.does = does
        with pytest.raises(StopIteration) as ended:  # no event loop runs
            enricher.enrich([("u1", {})]).send(None)
        assert ended.value.value[0]["clicks"] == clicks

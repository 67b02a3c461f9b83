"""While large states are written or read no collection comes; what holds itself in a cycle is freed in the end."""

import gc
import threading
import weakref

import pytest

from headrace.agents import garbage
from headrace.agents.garbage import CollectorPause


class Node:
    def __init__(self):
        self.itself = self


@pytest.fixture(autouse=True)
def collector_as_before():
    yield
    gc.unfreeze()
    gc.enable()


def test_no_collection_comes_in_the_meantime_whoever_else_works():
    pause, seen, begun, end = CollectorPause(), [], threading.Event(), threading.Event()

    def long():
        begun.set()
        end.wait(10)
        seen.append(gc.isenabled())

    thread = threading.Thread(target=pause.run, args=(long,))
    thread.start()
    begun.wait(10)
    assert pause.run(gc.isenabled) is False
    assert not gc.isenabled(), "the other one still works"
    end.set()
    thread.join()
    assert seen == [False]
    assert gc.isenabled()


def test_what_there_is_afterwards_is_left_out_of_collections():
    made = CollectorPause().run(lambda: [Node() for _ in range(1_000)])
    assert gc.get_freeze_count() > 1_000
    assert not any(isinstance(thing, Node) for thing in gc.get_objects())
    del made


def test_a_failure_is_passed_on_and_collections_come_again():
    with pytest.raises(ZeroDivisionError):
        CollectorPause().run(lambda: 1 / 0)
    assert gc.isenabled()


def test_cycles_that_nobody_holds_are_freed_when_there_are_twice_as_many_objects(monkeypatch):
    monkeypatch.setattr(garbage, "WORK_PER_COUNT", 1)
    gc.collect()
    pause = CollectorPause()
    pause.collect()
    node = weakref.ref(pause.run(Node))
    gc.collect()
    assert node() is not None, "it was frozen"
    pause.alive = gc.get_freeze_count() // 3
    pause.run(Node)
    assert node() is None
    assert pause.alive >= garbage.ALIVE_MIN

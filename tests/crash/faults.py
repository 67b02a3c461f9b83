"""What can be done to a broker, a disk, a clock or a network: the faults that a system must survive, or name.

Each fault is a context: what stands before its `yield` injects it, what stands after lifts it; it yields what it was done to. It raises
`Silent` when something is wrong that cannot be seen afterwards.
"""

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from damage import damage, databases
from system import WAIT_SECONDS, System

PAUSE_SECONDS = 12.0
"""Longer than the session timeout: the group goes on, and the paused worker wakes believing that it still owns its shards."""

HOUR = 3600.0


class Silent(Exception):
    """Something is wrong that no later look can see."""


Inject = Callable[[System, random.Random], Iterator[str]]
Remedy = Callable[[System], None]


class Fault(NamedTuple):
    """A kind of fault.

    Attributes
    ----------
    name
        As in `--only`.
    inject
        The context.
    causes
        Patterns, with `{task}` for its name: an error that matches one has named the cause. Without any, nothing may stop.
    remedy
        What an operator does, as the errors say, before the workers run again.
    lasts
        At least and at most how many seconds it lasts.
    again
        Whether a wrong turn shows only when the workers are started again: they are killed, and all is judged once more.
    changes_log
        Whether the event log lost what it had: then records of the source may be gone with it.
    limit
        Seconds that it may take until all has settled.
    is_slow
        Drawn half as often.
    """

    name: str
    inject: Callable[[System, random.Random], AbstractContextManager[str]]
    causes: tuple[str, ...] = ()
    remedy: Remedy | None = None
    lasts: tuple[float, float] = (0.5, 2.0)
    again: bool = False
    changes_log: bool = False
    limit: float = 60.0
    is_slow: bool = False


FAULTS: dict[str, Fault] = {}


def fault(name: str, **options) -> Callable[[Inject], Inject]:
    """Register a fault under its name."""

    def register(inject: Inject) -> Inject:
        FAULTS[name] = Fault(name, contextmanager(inject), **options)
        return inject

    return register


# --- processes


@fault("kill")
def kill(system, dice):
    node = dice.choice(system.nodes)
    node.kill()
    yield node.name
    node.start()


@fault("kill-all")
def kill_all(system, dice):
    system.stop()
    yield "all workers"
    system.start()


@fault("term", lasts=(0.1, 1.0))
def term(system, dice):
    node = dice.choice(system.nodes)
    stuck = node.end()
    yield node.name
    node.start()
    if stuck:
        raise Silent(stuck)


@fault("pause", lasts=(PAUSE_SECONDS, PAUSE_SECONDS + 2), is_slow=True)
def pause(system, dice):
    node = dice.choice(system.nodes)
    node.signal("SIGSTOP")
    yield node.name
    node.signal("SIGCONT")


# --- the broker


@fault("broker-kill", lasts=(0.0, 1.0))
def broker_kill(system, dice):
    system.kafka.kill()
    yield "Kafka"
    system.kafka.start()


@fault("broker-away", lasts=(5.0, 12.0), limit=90.0, is_slow=True)
def broker_away(system, dice):
    node = dice.choice(system.nodes)
    system.kafka.kill()
    is_killed = dice.random() < 0.4
    if is_killed:
        time.sleep(1)
        system.restart([node])
    yield f"Kafka{f', {node.name} killed and started' * is_killed}"
    system.kafka.start()


@fault("term-away", lasts=(1.0, 3.0), limit=90.0)
def term_away(system, dice):
    """A worker is told to end while the broker is away."""
    node = dice.choice(system.nodes)
    system.kafka.kill()
    yield f"Kafka, then SIGTERM to {node.name}"
    stuck = node.end()
    system.kafka.start()
    node.start()
    if stuck:
        raise Silent(stuck)


# --- disks


@fault("database", again=True)
def database(system, dice):
    """A file of a database is damaged."""
    node, is_stopped = dice.choice(system.nodes), dice.random() < 0.5
    if is_stopped:
        node.kill()
    what = damage(dice.choice(databases(node.data)), dice)
    yield f"{node.name} {what}, worker {'stopped' if is_stopped else 'running'}"
    system.start()


@fault("no-data", again=True)
def no_data(system, dice):
    """All databases of a worker are deleted."""
    node, is_stopped = dice.choice(system.nodes), dice.random() < 0.4
    if is_stopped:
        node.kill()
    shutil.rmtree(node.data)
    yield f"{node.name}, worker {'stopped' if is_stopped else 'running'}"
    system.start()


@fault("no-data-term", lasts=(1, 2))
def no_data_term(system, dice):
    """A worker is told to end after its databases were deleted."""
    node = dice.choice(system.nodes)
    shutil.rmtree(node.data)
    yield node.name
    stuck = node.end()
    node.start()
    if stuck:
        raise Silent(stuck)


@fault("disk-full", lasts=(3.0, 6.0))
def disk_full(system, dice):
    node = dice.choice(system.nodes)
    node.fill_disk()
    yield node.name
    node.free_disk()


@fault("disk-full-term", lasts=(2.0, 4.0))
def disk_full_term(system, dice):
    """A worker is told to end, and started again, while its disk is full."""
    node = dice.choice(system.nodes)
    node.fill_disk()
    yield node.name
    stuck = node.end()
    node.start()
    time.sleep(3)
    node.free_disk()
    if stuck:
        raise Silent(stuck)


@fault("disk-full-moves", lasts=(PAUSE_SECONDS, PAUSE_SECONDS + 2), is_slow=True)
def disk_full_moves(system, dice):
    """All shards come to a worker whose disk is full, and some leave it again."""
    node, other = dice.sample(system.nodes, 2)
    node.fill_disk()
    other.signal("SIGSTOP")
    yield f"{node.name}, {other.name} paused"
    other.signal("SIGCONT")
    time.sleep(3)
    node.free_disk()


# --- clocks


@fault("clock", lasts=(2.0, 4.0), is_slow=True)
def clock(system, dice):
    """Workers' clocks jump, and stay wrong until all that waits in an idle log must have expired."""
    nodes = system.nodes if dice.random() < 0.5 else [dice.choice(system.nodes)]
    shift = dice.choice([-HOUR, HOUR, -90.0, 90.0])
    for node in nodes:
        node.shift_clock(shift)
    try:
        yield f"{', '.join(node.name for node in nodes)} {shift:+.0f} s"
        system.feed.pause()
        wait_at_rest(system, WAIT_SECONDS + 12)
    finally:
        for node in nodes:
            node.shift_clock(0)


def wait_at_rest(system: System, seconds: float) -> None:
    """Wait until nothing waits for a time any more; Silent if it does not come to that."""
    deadline = time.monotonic() + seconds
    while True:
        waiting = {}
        for node in system.nodes:
            for shard in node.ask(f"/v1/{system.task.name}")[1].get("shards", []):
                if shard["state"] == "live":
                    held = shard.get("order", {"held": 0})["held"] + shard.get("batch", {"collected": 0})["collected"]
                    waiting[shard["partition"]] = held + shard["questions"]["waiting"] + shard["questions"]["early"]
        if len(waiting) == system.task.partitions and not any(waiting.values()):
            return
        if time.monotonic() > deadline:
            raise Silent(f"the log is idle for {seconds:.0f} s, and there still wait {waiting}: no tick comes")
        time.sleep(0.5)


# --- the network


def treats(mode: str, **options) -> None:
    """Register a fault: the proxy treats all connections of the workers like this."""

    @fault(f"net-{mode}", **options)
    def treated(system, dice):
        system.proxy.set(mode)
        yield "all workers"
        system.proxy.set("pass")


treats("cut", lasts=(1.0, 8.0))
treats("hold", lasts=(2.0, 14.0), limit=90.0)
treats("slow", lasts=(4.0, 6.0))
treats("flaky", lasts=(4.0, 6.0))


@fault("net-half-open", lasts=(0.0, 2.0), limit=120.0, is_slow=True)
def half_open(system, dice):
    yield f"{system.proxy.forget()} connections"

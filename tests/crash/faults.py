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

import harness
import records
from damage import damage, databases
from feed import SOURCE_SHARE
from segments import lose_tail
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


def fold_anew(system: System) -> None:
    """The remedy for a changed event log: fold the log that is there from its beginning."""
    system.stop()
    system.delete(f"{system.task.name}.snapshots", f"{system.task.name}.pending")
    system.start()


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


def cuts_tail(name: str, **options) -> None:
    """Register a fault: the broker is killed and comes back without the newest records of a partition."""

    @fault(f"tail-{name}", again=name not in ("events", "effects"), changes_log=name == "events", **options)
    def tail(system, dice):
        one = dice.choice(["predictions", "signals", "quarantine"]) if name == "effects" else name
        system.is_complete &= name != "effects"
        topic = system.topics()[one]
        partition, is_stopped = dice.randrange(topic.partitions), dice.random() < 0.4
        system.feed.pause()
        if is_stopped:
            system.stop()
        system.kafka.kill()
        lost = lose_tail(system.partition_folder(topic.name, partition), dice.uniform(0.02, 0.6), dice)
        system.kafka.start()
        behind = lost.was - lost.end if lost else 0
        count = dice.choice([0, behind, 2 * behind + 500]) if name == "events" else 0
        system.feed.burst(count)
        system.feed.resume()
        yield f"{topic.name}/{partition} {lost}, {count} rows at once, workers {'stopped' if is_stopped else 'running'}"
        system.start()


ANOTHER = "another|ends at|ends before|made anew|missing|gone|deleted|no longer|truncated|lost|has only|does not exist"
OF_EVENTS = (rf"{{task}}\.events.*({ANOTHER})", rf"({ANOTHER}).*{{task}}\.events")
OF_SOURCE = (rf"{{task}}-clicks.*({ANOTHER})", rf"({ANOTHER}).*{{task}}-clicks")
OF_CHANGELOG = (rf"{{task}}\.(snapshots|pending).*({ANOTHER}|damaged|refused)",)


def read_another_source(system: System) -> None:
    """The remedy for a source that was made anew: records are known by their place, so it needs a name of its own."""
    system.stop()
    system.follow(f"{system.task.name}-clicks-{system.count()}")
    system.start()


cuts_tail("events", causes=OF_EVENTS, remedy=fold_anew)
cuts_tail("snapshots", causes=OF_CHANGELOG, remedy=fold_anew)
cuts_tail("pending", causes=OF_CHANGELOG, remedy=fold_anew)
cuts_tail("effects")
cuts_tail("features")
cuts_tail("source", causes=OF_SOURCE, remedy=read_another_source)


def makes_anew(name: str, **options) -> None:
    """Register a fault: a topic is deleted and made anew."""

    @fault(f"new-{name}", again=name != "events", changes_log=name == "events", **options)
    def new(system, dice):
        topic, is_stopped = system.topics()[name], dice.random() < 0.4
        was = max(system.ends(topic.name).values())
        system.feed.pause()
        if is_stopped:
            system.stop()
        system.delete(topic.name)
        if dice.random() < 0.3:
            time.sleep(dice.uniform(0.5, 3))
        system.make(topic)
        is_longer = name in ("events", "source") and dice.random() < 0.5
        rows = 2 * was + 500 if name == "events" else int(3 * was / SOURCE_SHARE)
        system.feed.burst(rows if is_longer else 20)
        system.feed.resume()
        length = "longer" if is_longer else "shorter"
        yield f"{topic.name} ended at {was}, is {length}, workers {'stopped' if is_stopped else 'running'}"
        system.start()


makes_anew("events", causes=OF_EVENTS, remedy=fold_anew)
makes_anew("snapshots", causes=OF_CHANGELOG, remedy=fold_anew)
makes_anew("pending", causes=OF_CHANGELOG, remedy=fold_anew)
makes_anew("features")
makes_anew("source", causes=OF_SOURCE, remedy=read_another_source)


@fault("no-events", causes=OF_EVENTS, remedy=fold_anew, lasts=(2.0, 4.0), changes_log=True)
def no_events(system, dice):
    """The event log is deleted, and stays so."""
    system.feed.pause()
    system.delete(system.task.events)
    yield f"{system.task.events} deleted"


def fold_all_partitions(system: System) -> None:
    """The remedy for partitions that were added: every topic of the task gets as many, and the settings say so."""
    count = len(system.ends(system.task.events))
    shards = [topic for topic in system.topics().values() if topic.of_task and topic.name != system.source]
    count = max(count, *(len(system.ends(topic.name)) for topic in shards))
    system.stop()
    for topic in shards:
        if len(system.ends(topic.name)) < count:
            system.add_partitions([topic.name], count)
    system.configure(system.task.name, count, system.source)
    system.start()


@fault(
    "partitions",
    causes=(r"{task}\.\w+ .*partitions", r"partitions.*{task}\.\w+"),
    remedy=fold_all_partitions,
    lasts=(1, 3),
    limit=45.0,
)
def partitions(system, dice):
    """A topic of the task gets one partition more; with the event log, records come into it."""
    topic = system.topics()[dice.choice(["events", "events", "snapshots", "pending"])]
    count = topic.partitions + 1
    system.add_partitions([topic.name], count)
    if topic.name == system.task.events:
        time.sleep(0.5)
        records.append(system, topic.name, topic.partitions, records.samples(dice, 50))
    else:
        system.restart()
    yield f"{topic.name} has {count}"


# --- records that no worker of ours wrote


@fault("aborted", again=True)
def aborted(system, dice):
    """A transaction of samples is aborted, and another one committed."""
    partition = dice.randrange(system.task.partitions)
    for commits in (False, True):
        records.transaction(system, partition, records.samples(dice, 20), commits=commits)
    yield f"20 samples aborted, 20 committed in {system.task.events}/{partition}"


def spoils(name: str, spoil: Callable[[System, random.Random, int], str], **options) -> None:
    """Register a fault: a bad record in a changelog, that workers meet while they run, or when they start."""

    @fault(name, again=True, causes=OF_CHANGELOG, remedy=fold_anew, **options)
    def bad_record(system, dice):
        partition, is_stopped = dice.randrange(system.task.partitions), dice.random() < 0.6
        harness.wait_for(lambda: records.manifests(system, partition), 30, "a snapshot of the shard")
        if is_stopped:
            system.feed.pause()
            time.sleep(1.0)
            system.stop()
        what = spoil(system, dice, partition)
        system.feed.resume()
        yield f"{what}, workers {'stopped' if is_stopped else 'running'}"
        system.start()


spoils("snapshot-bit", records.flip_newest_snapshot)
spoils("snapshot-garbage", records.write_garbage_snapshot)
spoils("snapshot-far", records.write_far_snapshot)
spoils("pending-garbage", records.write_garbage_pending)


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

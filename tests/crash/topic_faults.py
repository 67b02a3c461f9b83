"""Faults of topics: tails that a broker lost, topics made anew or grown, records that no worker of ours wrote."""

import random
import time
from collections.abc import Callable

import harness
import records
from faults import fault
from feed import SOURCE_SHARE
from segments import lose_tail
from system import System

RECORDS, RECORDS_SECONDS = 5, 20.0


def fold_anew(system: System) -> None:
    """The remedy for a changed event log: fold the log that is there from its beginning."""
    system.stop()
    system.delete(f"{system.task.name}.snapshots", f"{system.task.name}.pending")
    system.start()


def wait_for_records(system: System, topic: str, partition: int) -> None:
    """Let the feed flow until a partition has something to lose, but not for ever."""
    deadline = time.monotonic() + RECORDS_SECONDS
    while system.ends(topic).get(partition, 0) < RECORDS and time.monotonic() < deadline:
        time.sleep(0.3)


def cuts_tail(name: str, **options) -> None:
    """Register a fault: the broker is killed and comes back without the newest records of a partition."""

    @fault(f"tail-{name}", again=name not in ("events", "effects"), changes_log=name == "events", **options)
    def tail(system, dice):
        one = dice.choice(["predictions", "signals", "quarantine"]) if name == "effects" else name
        system.is_complete &= name != "effects"
        topic = system.topics()[one]
        partition, is_stopped = dice.randrange(topic.partitions), dice.random() < 0.4
        if name != "effects":
            wait_for_records(system, topic.name, partition)
        system.feed.pause()
        time.sleep(dice.choice([0.0, 2.0, 2.0]))  # what is lost was folded, most of the time
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
    """The remedy for partitions that were added: the settings say so, and the starting workers add what the other topics lack."""
    system.stop()
    system.configure(system.task.name, len(system.ends(system.task.events)), system.source)
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

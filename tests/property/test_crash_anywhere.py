"""A shard that is stopped between any two steps, and started again, ends as if nothing had happened.

The log, the changelog and the outlet are in memory and count steps; at drawn steps the process "dies": the step raises, and so does
every later one. What was acknowledged before stays. The table is a real RocksDB, which sometimes loses its folder too.
"""

import asyncio
import hashlib
import json
import math
import random
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import harness
import pytest
from aiokafka.errors import KafkaConnectionError
from drifting_logs import DRIFTING, drifting, happened
from fakes.log import Log
from fakes.outlet import Outlet
from fakes.rules import Rule, Violation, hold
from fakes.world import Death, World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from thorough import IS_THOROUGH, some

from headrace.agents.budget import Budget
from headrace.agents.lookahead import Lookahead
from headrace.agents.outlet import encode as encode_effect
from headrace.agents.saver import Saver
from headrace.agents.shard import Shard
from headrace.agents.teller import Teller
from headrace.learning.effects import Effect
from headrace.learning.encoding import encode
from headrace.learning.errors import LogError
from headrace.learning.fold.learner import Learner
from headrace.learning.models import build
from headrace.learning.promises import Promises
from headrace.learning.reactions import BREAKER
from headrace.learning.snapshot import digest, peek
from headrace.learning.supplies import InMemory, Supplies
from headrace.learning.task import ArmSettings, Task, Threshold, Unanswered, Update, Versions, define
from headrace.learning.waiting.join import Join
from headrace.tables.snapshots import Snapshots
from headrace.tables.table import Table
from headrace.tables.versions import VersionTable, made_for

OFTEN = Versions(every=3, keep=2)

TASKS = {
    "dropped": Task(name="steps", kind="binary", predictions=True, wait="10s"),
    "assumed": Task(name="steps", kind="binary", predictions=True, wait="12s", unanswered=Unanswered(assume=False)),
    "batches": Task(
        name="steps", kind="binary", predictions=True, wait="8s", unanswered=Unanswered(self_train=0.6),
        update=Update(batch=4, every="3s"), model={"use": "online_linear", "learning_rate": 0.1},
    ),
    "event_time": Task(
        name="steps", kind="binary", predictions=True, wait="15s", order="event_time", lateness="4s", late="quarantine",
        update=Update(batch=3, gradient="mean"), model="online_linear",
    ),
    "timed": Task(
        name="steps", kind="binary", predictions=True, wait="15s", order="event_time", lateness="4s", late="learn",
        update=Update(every="2s"),
    ),
    "limited": Task(
        name="steps", kind="binary", predictions=True, wait="12s", unanswered=Unanswered(assume=False), name_limit=3,
    ),
    "controlled": Task(name="steps", kind="binary", predictions=True, versions=OFTEN, wait="12s"),
    "anomalies": Task(
        name="steps", kind="anomaly", predictions=True, wait="12s", versions=OFTEN, threshold=Threshold(quantile=0.8),
        model={"use": "quantile", "after": 2}, arms={"trees": ArmSettings(model={"use": "half_space_trees", "window_size": 10})},
    ),
}  # fmt: skip


MODELS = {"binary": ("alma", ["pa", "logistic"]), "anomaly": ("one_class_svm", ["quantile", "one_class_svm"])}
"""What a job makes, by kind, and what a change of the task may name."""


def learned(kind: str) -> bytes:
    """A model that has learned one row."""
    model = build(MODELS[kind][0], kind)
    model.learn_one({"x": 1.0}, *([True] if kind == "binary" else []))
    return encode(model)


MADE = {kind: learned(kind) for kind in MODELS}
"""What a job has made, before any of the logs begins."""

DIGESTS = {kind: hashlib.sha256(data).hexdigest() for kind, data in MADE.items()}


@pytest.fixture(scope="module", autouse=True)
def _thresholds_are_chosen_often():
    """The logs are short."""
    with mock.patch("headrace.learning.arms.quantile_cutoff.EVERY", 3):
        yield


def promised(messages) -> set[str]:
    """The jobs that promise a model in some messages."""
    return {name.decode() for one in messages for name in re.findall(rb'"install", "id": "([\w-]+)"', one.value or b"")}


class Jobs:
    """The jobs in a log: each is asked for, promises a model, and ends further on; or it is cancelled."""

    def __init__(self, dice: random.Random, kind: str):
        self.kind, (self.model, self.models), self.made = kind, MODELS[kind], DIGESTS[kind]
        self.dice, self.count, self.asked, self.promised, self.ended = dice, 0, [], [], []

    def ask(self) -> str:
        self.count += 1
        self.asked.append(f"j{self.count}")
        return json.dumps({"control": "job", "job": self.asked[-1], "recipe": {}, "model": self.model})

    def promise(self) -> str:
        if not self.asked:
            return self.ask()
        self.promised.append(self.asked.pop(0))
        return json.dumps({"control": "install", "id": self.promised[-1], "recipe": {}, "model": self.model})

    def cancel(self) -> str:
        return json.dumps({"control": "cancel", "job": self.asked.pop(0)}) if self.asked else self.ask()

    def end(self) -> str:
        artefact = self.dice.choice([None, self.made])
        if self.ended and self.dice.random() < 0.5:  # somebody else says how it ended, too late
            name = self.ended.pop()
            return json.dumps({"control": "outcome", "of": name, "artefact": artefact, "updates": 3})
        name = self.promised.pop(0)
        self.ended.append(name)
        return json.dumps({"control": "outcome", "of": name, "artefact": artefact, "updates": 1, "why": "no reason"})

    def command(self) -> str:
        """A control record that changes a model, or waits."""
        if self.promised and self.dice.random() < 0.5:
            return self.end()
        definition = {
            "kind": self.kind,
            "versions": {"every": 3, "keep": 2},
            "model": self.dice.choice(self.models),
            "wait": self.dice.choice([6, 30]),
        }
        return self.dice.choice(
            [
                self.promise,
                self.promise,
                self.cancel,
                lambda: '{"control": "checkpoint"}',
                lambda: json.dumps({"control": "rollback", "to": self.dice.choice(["previous", "best", "last_good"])}),
                lambda: '{"control": "promote"}',
                lambda: '{"control": "pause"}',
                lambda: '{"control": "resume"}',
                lambda: json.dumps({"control": "define", "task": definition, "cold": self.dice.random() < 0.5}),
            ]
        )()


def messages(count: int, seed: int, task: Task) -> list[SimpleNamespace]:
    """A log with all that can stand in one: samples, questions, labels (late, early, twice, of no question), records that came from a
    source twice, commands, hostile rows, several rows in a message, and one offset in seven that holds nothing.
    """
    dice, found, offset, asked, source = random.Random(seed), [], 1, 0, 0
    is_controlled = task == TASKS["controlled"]
    jobs, commands = Jobs(dice, task.kind), 0.4 if is_controlled else 0.05
    first = {"control": "define", "task": json.loads(define(task)), "first": True}
    sample = json.dumps({"features": {"x": 0.5}, "label": True})
    value = f"{json.dumps(first)}\n{sample}".encode()
    found.append(SimpleNamespace(offset=0, timestamp=10**6, key=None, value=value))

    def features():
        return {"x": dice.gauss(0, 1), "y": dice.choice("ab")}

    def row(now):
        nonlocal asked, source
        if dice.random() < commands:
            return jobs.command()
        fate, label = dice.random(), dice.random() < 0.5
        late = {"time": now / 1000 - dice.choice([0, 0, 1, 3, 6, -90])} if dice.random() < 0.8 else {}
        if fate < 0.25:
            source += dice.choice([-1, 0, 1, 1, 1])
            more = {"source": f"clicks/0/{max(source, 0)}"} if dice.random() < 0.3 else {}
            return json.dumps({"features": features(), "label": label} | late | more)
        if fate < 0.55:
            asked += 1
            told = {"served": {"arm": "champion", "prediction": label, "position": 1}} if dice.random() < 0.3 else {}
            return json.dumps({"id": f"q{asked}", "features": features()} | late | told)
        if fate < 0.9:
            return json.dumps({"id": f"q{max(asked + dice.randint(-6, 2), 0)}", "label": label} | late)
        return dice.choice(["{", '{"control": "tick"}', '{"control": "unknown"}'])

    for _ in range(count):
        rows = [row(10**6 + offset * 1000) for _ in range(dice.choice([1, 1, 3]))]
        # A promise that does not stand alone is refused: in a log with many they do.
        for is_promise, group in groupby(rows, lambda one: is_controlled and '"install"' in one):
            for lines in [[one] for one in group] if is_promise else [list(group)]:
                stamp = 10**6 + offset * 1000 + dice.randint(-500, 500)
                value = "\n".join(lines).encode()
                found.append(SimpleNamespace(offset=offset, timestamp=stamp, key=None, value=value))
                offset += dice.choice([1, 1, 1, 1, 1, 1, 2])
    ends = []
    while jobs.promised:
        ends.append(jobs.end())
    last = "\n".join([*ends, '{"control": "resume"}', sample])
    found.append(SimpleNamespace(offset=offset, timestamp=10**6 + offset * 1000, key=None, value=last.encode()))
    return found


class Unchanging(Log):
    """A log in which nothing is lost or exchanged: whoever finds another one is wrong."""

    async def check(self, partition, last, position):
        try:
            await super().check(partition, last, position)
        except LogError as error:
            raise Violation(Rule.SAME_LOG, last) from error


class Steps(World):
    """The world of a shard, which holds it to the rules of what is published, saved and committed, and knows how it must end."""

    log_type = Unchanging

    def __init__(self, log: list[SimpleNamespace], task: Task):
        super().__init__(task, [log])
        self.log.end[0] = 0  # it grows while it is folded
        self.finish = log[-1].offset + 1
        self.expected = {message.offset: set() for message in log}
        self.effects: dict[str, bytes] = {}
        self.others: list[str] = []
        made = {(name, DIGESTS[task.kind]): MADE[task.kind] for name in promised(log)}
        supplies = Supplies(InMemory(made), Promises(task), ())
        for message in log:
            supplies.promises.note(message)
        self.learner = learner = Learner(task, 0, supplies=supplies)
        for message in log:
            for effects in learner.fold(message):
                self.expected[message.offset] |= {effect.id for effect in effects}
                self.effects |= {effect.id: encode_effect(effect) for effect in effects}
        self.digest = digest(learner.state)

    def see(self, effect: Effect) -> None:
        """Note an effect that is published with other bytes than those of the uninterrupted fold."""
        if self.effects.get(effect.id) != encode_effect(effect):
            self.others.append(effect.id)

    def witness(self, key: bytes, value: bytes | None) -> None:
        """Rule 4: what a snapshot covers is published before it is written."""
        if key.startswith(b"manifest/") and value is not None:
            position = position_of(value)
            effects = set().union(*(names for offset, names in self.expected.items() if offset < position))
            hold(Rule.EMITTED, effects <= self.published, (position, sorted(effects - self.published)[:3]))

    async def commit(self, partition: int, position: int) -> None:
        """Rule 3: a snapshot is durable before its position is committed."""
        manifests = [
            entry.value for entry in self.changelog.entries[0] if entry.key.startswith(b"manifest/") and entry.value
        ]
        durable = max(map(position_of, manifests), default=0)
        hold(Rule.DURABLE, position <= durable, (position, durable))
        await super().commit(partition, position)


def position_of(manifest: bytes) -> int:
    return json.loads(manifest.split(b"\n", 1)[0])["position"]


class Process:
    """One life of the worker: everything in it is gone with it."""

    def __init__(self, world: Steps, folder: Path, dice: random.Random, life: int, shard: type[Shard]):
        self.world, self.dice, self.now = world, dice, 0.0
        collaborators = world.collaborators(
            folder,
            f"life{life}",
            outlet=Outlet(world.published, step=world.step, is_early=lambda: dice.random() < 0.3, witness=world.see),
            wall=lambda: 0.0,
            budget=Budget(share=math.inf, clock=self.clock),  # what sealing really took must not decide
            snapshot_records=dice.choice([1, 3, 10]),
            snapshot_seconds=dice.choice([0.01, 1.0]),
        )
        self.shard = shard(world.task, 0, collaborators)

    def clock(self) -> float:
        """Time passes only by being looked at."""
        self.now += 0.0004
        return self.now

    async def live(self) -> None:
        """Deliver the log as a bad transport does: from the committed offset, with polls lost and polls repeated."""
        shard, dice, log = self.shard, self.dice, self.world.log.all[0]
        while shard.status == "opening":
            try:
                await shard.open()
            except KafkaConnectionError:
                shard.let_go()
        committed = self.world.committed.get(0, 0)
        at = next((number for number, message in enumerate(log) if message.offset >= committed), len(log))
        while at < len(log):
            size = dice.randint(1, 6)
            reach = log[min(at + size + dice.randint(0, 9), len(log)) - 1].offset + 1
            self.world.log.end[0] = max(self.world.log.end[0], reach)
            fate = dice.random()
            if fate > 0.15:
                await shard.deliver(log[at : at + size])
            if fate > 0.9 and at:
                await shard.deliver(log[at - 1 : at + size])
            await shard.save_if_due()
            at += size
        self.world.dice = None  # the broker is well again
        self.world.log.end[0] = self.world.finish
        for _ in range(8):  # at each promise, and each pause, the shard looks ahead once more
            self.now += 2.0  # longer than a position may stand still
            await shard.catch_up(1.0)
        await shard.leave()
        await shard.leave()


async def run(
    world: Steps, folder: Path, dice: random.Random, fuses: list[int], shard: type[Shard], flaky: float
) -> None:
    """Live and die as the fuses say, then live to the end and check what is left."""
    for life, fuse in enumerate([*fuses, None]):
        world.fuse = fuse
        world.dice = random.Random(life)
        world.flaky = flaky
        process = Process(world, folder, dice, life, shard)
        try:
            await process.live()
        except Death:
            pass
        await process.shard.saver.wait()
        violation = process.shard.saver.violation
        hold(Rule.FITS, process.shard.notice is None, process.shard.notice)
        state, waiting = process.shard.learner and process.shard.learner.state, None
        if fuse is None:
            waiting = waits(world, process.shard)
        process.shard.let_go()
        if violation:
            raise violation
        if dice.random() < 0.2:
            shutil.rmtree(folder)
            folder.mkdir()
    hold(Rule.WAITING, waiting == waits(world, SimpleNamespace(learner=world.learner)))
    hold(Rule.LIVE, process.shard.status == "live", process.shard.error)
    end = world.log.end[0]
    hold(Rule.STATE, (state.position, digest(state)) == (end, world.digest), state.position)
    hold(Rule.EFFECTS, world.published == set().union(*world.expected.values()))
    hold(Rule.EFFECTS, not world.others, world.others[:3])
    hold(Rule.COMMITTED, world.committed == {0: end}, world.committed)
    table = Table(world.changelog, folder / "snapshots")
    await table.open(0)
    position, data = Snapshots(table, "reader").load(0)
    table.close(0)
    hold(Rule.LAST_SNAPSHOT, (position, peek(data).digest) == (end, world.digest), position)


async def put_made(world: Steps, folder: Path) -> None:
    """Write what a job has made."""
    table = Table(world.models, folder / "jobs")
    await table.open(0)
    for name in promised(world.log.all[0]):
        kind = world.task.kind
        await VersionTable(table).put(0, DIGESTS[kind], MADE[kind], position=0, origin=made_for(name))
    table.close(0)


def waits(world: Steps, shard: Shard) -> dict[str, object]:
    """What counts under every id there could be."""
    learner = shard.learner
    return {
        f"q{number}": learner.join.find(f"q{number}", learner.state.step + 1, learner.state.clock)
        for number in range(len(world.log.all[0]) * 3)
    }


class Noting(Saver):
    """A saver that remembers a broken rule: for its shard, whatever a step raises is a broker that is away."""

    violation = None

    async def _save(self, snapshot):
        try:
            await super()._save(snapshot)
        except Violation as violation:
            self.violation = violation
            raise


class Checked(Shard):
    """A shard whose saver may be a mutant."""

    saver_type = Noting

    def _make_saver(self, predecessor=None):
        saver = super()._make_saver(predecessor)
        saver.__class__ = self.saver_type
        return saver


def log_of(task: str, seed: int) -> tuple[list[SimpleNamespace], Task]:
    """The log of a seed, and the task that folds it."""
    if task in DRIFTING:
        return drifting(seed, DRIFTING[task]), DRIFTING[task]
    return messages(40, seed, TASKS[task]), TASKS[task]


def scenario(task: str, seed: int, fuses: list[int], shard: type[Shard] = Checked, flaky: float = 0.0) -> None:
    """One whole run, decided by its seed and fuses."""
    with tempfile.TemporaryDirectory() as folder:
        world = Steps(*log_of(task, seed))
        asyncio.run(put_made(world, Path(folder)))
        asyncio.run(run(world, Path(folder), random.Random(seed), fuses, shard, flaky))


@pytest.mark.parametrize("task", TASKS)
@given(
    seed=st.integers(0, 10**6), fuses=st.lists(st.integers(1, 250), max_size=5), flaky=st.sampled_from([0.0, 0.02, 0.1])
)
@settings(max_examples=some(50, of=8), deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_crash_between_any_two_steps_changes_neither_the_state_nor_the_effects(task, seed, fuses, flaky):
    scenario(task, seed, fuses, flaky=flaky)


@pytest.mark.parametrize("task", DRIFTING)
@given(
    seed=st.integers(0, 10**6), fuses=st.lists(st.integers(50, 2_500), max_size=4), flaky=st.sampled_from([0.0, 0.02])
)
@settings(max_examples=some(8), deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_crash_changes_nothing_where_reactions_breakers_and_guards_act_by_themselves(task, seed, fuses, flaky):
    scenario(task, seed, fuses, flaky=flaky)


class NoContiguity(Checked):
    """Mutant: folds whatever comes next, as Faust hands it over."""

    async def _take_delivered(self, messages, link):
        for message in messages:
            if message.offset >= self.learner.state.position:
                told = [effect for effects in self.learner.fold(message) for effect in effects]
                await self.collaborators.outlet.tell(0, told)


class CommitsFirst(Noting):
    """Mutant: commits the position before its snapshot is durable."""

    async def save(self, snapshot):
        await self.commit(snapshot)
        await super().save(snapshot)


class TellsLast(Noting):
    """Mutant: writes the snapshot before its effects are acknowledged."""

    async def save(self, snapshot):
        await self.make_durable(snapshot)
        await super().save(snapshot)


class Forgetful(Teller):
    async def publish(self):
        effects, self._kept = self._kept, []
        if effects:
            await self.outlet.tell(0, effects)


class ForgetsTheUntold(Checked):
    """Mutant: lets go of effects that the broker was not there to take."""

    async def open(self):
        self.teller.__class__ = Forgetful
        await super().open()


class ForgetsItsPosition(Checked):
    """Mutant: believes the committed offset, and takes its state for what it was at that offset."""

    async def open(self):
        await super().open()
        self.learner.state.position = max(self.learner.state.position - 1, 0)


class EveryEntryCounts(Join):
    """Finds also what a process that was stopped has left of steps that are still to come."""

    def find(self, name, step, clock):
        return super().find(name, 1 << 62, clock)


class WithoutVisibility(Checked):
    """Mutant: an entry counts whatever its step."""

    async def open(self):
        await super().open()
        if self.learner is not None:
            self.learner.join.__class__ = EveryEntryCounts


class ForgetsWhatWaits(Noting):
    """Mutant: writes a snapshot whose questions and labels are not durable."""

    async def make_durable(self, snapshot):
        pending, self.pending = self.pending, None
        try:
            await super().make_durable(snapshot)
        finally:
            self.pending = pending


class PurgesTooSoon(Noting):
    """Mutant: purges by a clock that is ahead, so that entries go which the state still needs.

    One that purges by its own clock is healed: the entries that an older snapshot needs are read again from their segments.
    """

    async def save(self, snapshot):
        await self.collaborators.pending.purge(0, snapshot.gone + 3_000)
        await super().save(snapshot)


class LastOutcome(Promises):
    """Goes by the outcome that was noted last, however far the log was read by then."""

    def outcome(self, name, place):
        found = [outcome for at, outcome in self._outcomes.get(name, ()) if at > place]
        return found[-1] if found else None


class ReadsToTheEnd(Lookahead):
    """Part of a mutant: does not stop at the record that lets the shard go on."""

    async def _read_on(self):
        for last in [one async for one in super()._read_on()][-1:]:
            yield last


class GoesByArrival(Checked):
    """Mutant: takes the outcome of a promise that it heard of last, of all that the log has by then."""

    def __init__(self, *args):
        super().__init__(*args)
        self.lookahead.__class__ = ReadsToTheEnd
        self.lookahead.promises.__class__ = LastOutcome


class DropsVersionsTooSoon(Noting):
    """Mutant: removes the models of versions that the state has dropped before a snapshot of that state is durable."""

    async def make_durable(self, snapshot):
        await self.versions.retain(snapshot.digests, snapshot.position)
        await super().make_durable(snapshot)


def saving_by(saver):
    """A shard with this saver."""
    return type(saver.__name__, (Checked,), {"__doc__": saver.__doc__, "saver_type": saver})


class DropsWhatWaits(Checked):
    """Mutant: a breaker that passes over the records that have come until the shard is resumed."""

    async def take(self, messages):
        state = self.learner.state
        for message in messages:
            if (state.paused or "").startswith(BREAKER) and b'"resume"' not in (message.value or b""):
                state.position = max(state.position, message.offset + 1)
            elif message.offset >= state.position:
                await super().take([message])


SEEDS = 24
SEEDS_OF_DRIFTS = 8
"""How often a mutant runs. The logs of drifts are ten times as long."""


RARE = 1
"""A mutant that is caught so seldom needs all its runs."""

# What breaks which rule is seen first: a mutant may be noticed by several. The floors leave some room for other orders of tasks.
OF_THE_FOLD = {Rule.STATE, Rule.WAITING, Rule.FITS}
MUTANTS = [
    (NoContiguity, {Rule.EMITTED}, 20),
    (saving_by(CommitsFirst), {Rule.DURABLE}, 23),
    (saving_by(TellsLast), {Rule.EMITTED}, 23),
    (ForgetsTheUntold, {Rule.EMITTED}, 6),
    (ForgetsItsPosition, OF_THE_FOLD | {Rule.EMITTED}, 19),
    (WithoutVisibility, OF_THE_FOLD | {Rule.EMITTED}, 12),
    (saving_by(ForgetsWhatWaits), {Rule.FITS}, 19),
    (saving_by(PurgesTooSoon), {Rule.WAITING}, 9),
]
"""A shard that breaks a rule, the rules by which that must be noticed, and in how many runs of `SEEDS` at least."""


FUSES = {
    "assumed": lambda seed: [40 + seed * 9, 60],
    "controlled": lambda seed: [120 + seed * 17 + life * 31 for life in range(8)],
    "boosted": lambda seed: [700 + seed * 90, 600, 500],
}
"""After how many steps a process dies, one life after the other, in the runs of a seed."""


def broken_by(shard: type[Shard], task: str, seeds: int) -> Iterator[Rule]:
    """Yield the rule that a shard breaks first, for each run in which it breaks one."""
    for seed in range(seeds):
        try:
            scenario(task, seed, FUSES[task](seed), shard, flaky=(seed % 3) * 0.05)
        except Violation as violation:
            yield violation.rule


OF_CONTROLS = [
    (GoesByArrival, OF_THE_FOLD | {Rule.EMITTED}, 6),
    (saving_by(DropsVersionsTooSoon), {Rule.FITS}, 1),
]
"""The same, for logs with many control records."""


OF_DRIFTS = [
    (DropsWhatWaits, OF_THE_FOLD | {Rule.EMITTED, Rule.LIVE}, 7),
]
"""The same, for logs of a world that changes."""


@pytest.mark.parametrize(
    ("mutant", "rules", "floor", "task"),
    [(*row, "assumed") for row in MUTANTS]
    + [(*row, "controlled") for row in OF_CONTROLS]
    + [(*row, "boosted") for row in OF_DRIFTS],
)
def test_a_shard_that_breaks_a_rule_is_caught(mutant, rules, floor, task):
    seeds = SEEDS_OF_DRIFTS if task in DRIFTING else SEEDS
    if not IS_THOROUGH and floor > RARE:
        seeds, floor = seeds // 3, math.ceil(floor / 6)
    found: Counter[Rule] = Counter()
    for rule in broken_by(mutant, task, seeds):
        found[rule] += 1
        if not IS_THOROUGH and sum(found[rule] for rule in rules) >= floor:
            break
    assert sum(found[rule] for rule in rules) >= floor, f"{mutant.__doc__} Found: {found}"


@pytest.mark.parametrize("task", ["assumed", "controlled", "boosted"])
def test_a_shard_that_breaks_none_is_not(task):
    assert list(broken_by(Checked, task, some(SEEDS_OF_DRIFTS if task in DRIFTING else SEEDS, of=8))) == []


@pytest.mark.parametrize("task", TASKS)
def test_every_kind_of_record_has_its_effect_in_the_logs_that_are_folded(task):
    """Were the logs such that nothing expires or comes early, all above would prove nothing."""
    names = ["answered", "expired", "orphans", "duplicates", "skipped", "quarantined"]
    if TASKS[task].order == "event_time":
        names += ["late", "ahead"]
    counts = dict.fromkeys(names, 0)
    for seed in range(12):
        state = Steps(messages(40, seed, TASKS[task]), TASKS[task]).learner.state
        for name in counts:
            counts[name] += sum(getattr(part, name, 0) for part in (state.join, state, state.order))
    assert all(counts.values()), counts


def give_made(learner, _messages, _place, name):
    """Supply what the log's jobs have made, which follows from no recipe."""
    kind = learner.task.kind
    learner.supplies.artefacts.made[name, DIGESTS[kind]] = MADE[kind]


@pytest.mark.parametrize("task", TASKS)
def test_the_harness_folds_like_the_learner(task):
    world = Steps(messages(20, 1, TASKS[task]), TASKS[task])
    learner, effects = harness.fold(TASKS[task], 0, world.log.all[0], give_made)
    assert digest(learner.state) == world.digest
    assert {effect.id for effect in effects} == set().union(*world.expected.values())


HAPPENS = {
    "boosted": {"alert", "boost", "background", "calm", "pause", "rollback", "reset", "recommend reset", "shadow boost",
                "guard degraded", "guard label_rate", "drift score", "drift feature", "drift error", "drift label_rate"},
    "replaced": {"background", "swapped", "reset", "retrain", "rollback", "recommend rollback", "guard degraded", "pause"},
    "batched": {"boost", "background", "pause", "rollback", "guard degraded", "guard label_rate"},
}  # fmt: skip
"""What the logs of a changing world must bring about: at least twice in eight seeds."""


@pytest.mark.parametrize("task", DRIFTING)
def test_every_reaction_and_guard_acts_in_the_logs_of_a_changing_world(task):
    """Were the logs such that nothing reacts, the crashes in them would prove nothing."""
    counts: Counter[str] = Counter()
    for seed in range(8):
        log, definition = log_of(task, seed)
        counts += happened(harness.fold(definition, 0, log, give_made)[1])
        if not IS_THOROUGH and all(counts[name] >= 2 for name in HAPPENS[task]):
            break
    assert {name for name in HAPPENS[task] if counts[name] < 2} == set(), counts

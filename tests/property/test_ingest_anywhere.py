"""The ingest agent loses and doubles nothing, whatever fails, dies, sleeps or comes late: worlds made at random, with the real fold."""

import asyncio
import json
import logging
from collections import Counter
from types import SimpleNamespace

import pytest
import structlog
from aiokafka.errors import KafkaConnectionError, KafkaError
from fakes.log import Log
from fakes.producer import Producer
from fakes.rules import Rule, Violation, hold
from fakes.world import Death
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from thorough import some

import headrace.tables.kafka.appender
from headrace.agents.ingest import Ingest
from headrace.agents.intake import Intake
from headrace.agents.pace import Pace
from headrace.agents.positions import Start
from headrace.agents.source_context import SourceContext
from headrace.learning.fold.learner import Learner
from headrace.learning.task import Task
from headrace.learning.task.source import Source
from headrace.tables.kafka.appender import Appender, pack
from headrace.testing import MemoryLog


@pytest.fixture(autouse=True)
def quiet(log_as_before):
    """Thousands of worlds fail on purpose: what they log is not written. Afterwards `log_as_before` puts it back."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


SHARDS, PARTITIONS, COUNT = 2, 2, 12
TASK = Task(
    name="ads",
    kind="binary",
    partitions=SHARDS,
    sources=[Source(topic="clicks", rows="rows", key="k", label="y", features={"n": "n"})],
)


def source_message(partition, offset):
    """Two rows, which often go to different shards; some messages hold nothing good."""
    rows = [{"k": f"key-{(offset * 7 + row) % 5}", "y": True, "n": offset * 2 + row} for row in range(2)]
    if offset % 5 == 4:
        rows[1]["y"] = "maybe"
    value = b"{" if offset % 7 == 6 else json.dumps({"rows": rows}).encode()
    return SimpleNamespace(topic="clicks", partition=partition, offset=offset, timestamp=offset, key=None, value=value)


SOURCE = [[source_message(partition, at) for at in range(COUNT)] for partition in range(PARTITIONS)]


class Broker:
    """A broker whose every answer may be a failure, a death, or come late: it takes a batch whole, before or after it fails, or some time."""

    def __init__(self, draw):
        self.draw = draw
        self.event_log = MemoryLog(TASK)
        self.rejected = set()
        self.committed = {}
        self.late = []
        self.faults = 12  # after which all goes well, so that it ends
        self.looked_up = 0

    def fate(self, *fates):
        if self.faults and (fate := self.draw(st.sampled_from(("well", "well", *fates)))) != "well":
            self.faults -= 1
            return fate
        return "well"

    def answer(self, records):
        fate = self.fate("refused", "unacknowledged", "late", "died before", "died after")
        if fate == "died before":
            raise Death
        if fate == "late":
            self.late.append(records)
        elif fate != "refused":
            self.take(records)
        if fate == "died after":
            raise Death
        if fate != "well":
            raise KafkaConnectionError("lost")

    def take(self, records):
        for record in records:
            if record.topic == TASK.events:
                self.event_log.append(record.value, key=record.key.decode(), partition=record.partition)
            else:
                self.rejected.add(dict(record.headers)["id"].decode())


class Fickle:
    """A feature store that says something else at every look-up."""

    def __init__(self, broker):
        self.broker = broker

    async def enrich(self, rows):
        await asyncio.sleep(0)
        self.broker.looked_up += len(rows)
        return [features | {"seen": self.broker.looked_up + row} for row, (_, features) in enumerate(rows)]


class FailingAppender(Appender):
    def __init__(self, topic, broker):
        super().__init__(topic, "")
        self._producer = Producer(broker.answer)


class Hasty(FailingAppender):
    """A mutant: sends all batches of a partition without waiting for each to be acknowledged."""

    async def _append_line(self, producer, rows, numbers, *, stops):
        failed = None
        for batch in pack(rows, numbers):
            try:
                await self._send(producer, [rows[number] for number in batch])
            except KafkaError as error:
                failed = error
        if failed:
            raise failed
        return []


class Positions:
    def __init__(self, broker):
        self.broker = broker

    async def start(self, topic, partition):
        position, mark = self.broker.committed.get(partition, (0, None))
        return Start(position, 0, mark)

    async def commit(self, topic, partition, position, mark):
        fate = self.broker.fate("refused", "died")
        if fate == "refused":
            raise KafkaConnectionError("lost")
        self.broker.committed[partition] = position, mark
        if fate == "died":
            raise Death


def worker(broker, appender):
    context = SourceContext(TASK, "", lambda *_: asyncio.sleep(0), pace=Pace(retry=0.0))
    context.appender, context.quarantine = appender(TASK.events, broker), FailingAppender("ads.quarantine", broker)
    context.positions, context.logs, context.enricher = Positions(broker), {"clicks": Log(SOURCE)}, Fickle(broker)
    return Ingest(context)


async def live(broker, appender, intake):
    """Workers come, take what is delivered with losses and repetitions, die, or fall asleep and wake when another is at work."""
    draw, asleep = broker.draw, []
    while broker.faults:
        broker.faults -= 1
        ingests = [worker(broker, appender) for _ in range(PARTITIONS)]
        for partition, ingest in enumerate(ingests):
            ingest.intakes["clicks", partition] = intake(ingest.context, "clicks", partition)
        try:
            for ingest in ingests:
                for each in ingest.intakes.values():
                    await each.open()
            for _ in range(draw(st.integers(1, 4))):
                if broker.late and draw(st.booleans()):
                    broker.take(broker.late.pop(draw(st.integers(0, len(broker.late) - 1))))
                awake = (
                    draw(st.sampled_from(asleep)) if asleep and draw(st.booleans()) else draw(st.sampled_from(ingests))
                )
                for (_, partition), each in awake.intakes.items():
                    start = draw(st.integers(0, COUNT))
                    poll = SOURCE[partition][start : start + draw(st.integers(1, 6))]
                    if poll:
                        await each.deliver(poll)
                    if draw(st.booleans()):
                        await each.commit()
        except Death:
            continue
        except KafkaError:
            pass
        if draw(st.booleans()):
            asleep += ingests
    for partition in range(PARTITIONS):
        last = intake(worker(broker, appender).context, "clicks", partition)
        await last.open()
        while last.position < COUNT:
            assert last.status == "live", last.error
            await last.catch_up()
    for records in broker.late:
        broker.take(records)


def verify(broker):
    """The fold of what is in the event log has each good row just once, in the order of the source, as it was looked up first.

    How many rows stand in the log a second time with other features.
    """
    others, expected, rejected = 0, set(), set()
    for partition, messages in enumerate(SOURCE):
        for message in messages:
            if message.value == b"{":
                rejected.add(f"ads/clicks/{partition}/{message.offset}/0")
                continue
            for row, document in enumerate(json.loads(message.value)["rows"]):
                place = (partition, message.offset, row)
                if document["y"] is True:
                    expected.add(place)
                else:
                    rejected.add("ads/clicks/{}/{}/{}".format(*place))
    folded = []
    for shard in range(SHARDS):
        learned, furthest, first = FoldedRows(shard), {}, {}
        for message in broker.event_log.messages[shard]:
            record = json.loads(message.value)
            is_first = first.setdefault(record["source"], record["features"]) is record["features"]
            is_learned = learned.fold(message)
            hold(Rule.ONCE, is_first or not is_learned, record["source"])
            hold(
                Rule.IN_ORDER, is_learned or not is_first, record["source"]
            )  # skipped: one after it was learned before
            others += first[record["source"]] != record["features"]
        for place in learned.places:
            hold(Rule.IN_ORDER, place[1:] > furthest.get(place[0], (-1, 0)), place)
            furthest[place[0]] = place[1:]
        assert learned.learner.state.updates == len(learned.places)
        folded += learned.places
    hold(Rule.NONE_LOST, sorted(folded) == sorted(expected), expected - {*folded})
    hold(Rule.REJECTED, broker.rejected == rejected, broker.rejected ^ rejected)
    return others


class FoldedRows:
    """The learner of a shard, and where the rows are from that it did not skip."""

    def __init__(self, shard):
        self.learner, self.places = Learner(TASK, shard), []

    def fold(self, message):
        """Whether it was learned."""
        before = self.learner.state.updates
        for _ in self.learner.fold(message):
            pass
        if self.learner.state.updates > before:
            _, *place = json.loads(message.value)["source"].split("/")
            self.places.append(tuple(map(int, place)))
        return self.learner.state.updates > before


def run(draw, appender=FailingAppender, intake=Intake):
    broker = Broker(draw)
    asyncio.run(live(broker, appender, intake))
    return verify(broker)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(headrace.tables.kafka.appender, "BATCH_BYTES", 1024 + 300)  # two rows


MANY = settings(
    max_examples=some(200),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def test_every_row_is_folded_once_in_the_order_of_its_source_and_as_it_was_looked_up_first():
    others = 0

    @MANY
    @given(data=st.data())
    def in_any_world(data):
        nonlocal others
        others += run(data.draw)

    in_any_world()
    assert others > 0, "no row came a second time with other features: nothing was proven of look-ups"


class CommitsEarly(Intake):
    """A mutant: commits what is under way, before the broker has it."""

    async def deliver(self, messages):
        before, self.position = self.position, max(self.position, messages[-1].offset + 1)
        try:
            await self.commit()
        finally:
            self.position = before
        await super().deliver(messages)


class SkipsGaps(Intake):
    """A mutant: trusts what it is given, as Faust's own acknowledgements do."""

    async def read_gap(self, end):
        if self.position < end < COUNT:
            self.position = end
        else:
            await super().read_gap(end)


@pytest.mark.parametrize(
    ("appender", "intake", "rules", "floor"),
    [
        (Hasty, Intake, {Rule.IN_ORDER}, 25),
        (FailingAppender, CommitsEarly, {Rule.NONE_LOST}, 38),
        (FailingAppender, SkipsGaps, {Rule.IN_ORDER, Rule.NONE_LOST}, 38),
    ],
)
def test_a_mutant_is_noticed(appender, intake, rules, floor):
    found: Counter[Rule] = Counter()

    @settings(MANY, max_examples=50, phases=[Phase.generate], derandomize=True, database=None)
    @given(data=st.data())
    def mutated(data):
        try:
            run(data.draw, appender, intake)
        except Violation as violation:
            found[violation.rule] += 1

    mutated()
    assert sum(found[rule] for rule in rules) >= floor, found

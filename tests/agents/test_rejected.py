"""One record of the quarantine for a run of alike refusals; a message of a source with too many rows is refused as one."""

import asyncio
import json
from types import SimpleNamespace

import headrace.agents.intake
from headrace.agents.intake import Intake
from headrace.agents.mapping import Mapping, Rejected
from headrace.agents.pace import Pace
from headrace.agents.rejected import pack_rejected
from headrace.agents.source_context import Counts
from headrace.agents.telemetry import Telemetry
from headrace.learning.task import Task
from headrace.learning.task.source import Source
from headrace.tables.kafka.appender import size_of

TASK = Task(
    name="ads",
    kind="binary",
    partitions=2,
    sources=[Source(topic="clicks", rows="@", when="@ != `0`", label="y", features="x")],
)


def message(offset, value=b""):
    return SimpleNamespace(offset=offset, timestamp=0, key=b"k", value=value)


def packed(*rejected):
    return [
        (row.value, {name: value.decode() for name, value in row.headers})
        for row in pack_rejected(TASK, "clicks", 3, rejected)
    ]


def test_rows_that_follow_each_other_and_are_refused_alike_share_a_record():
    first, second = message(7), message(8)
    found = packed(
        (first, Rejected(0, "mapping", "no object: 1.", b"1")),
        (first, Rejected(1, "mapping", "no object: 2.", b"2")),
        (first, Rejected(2, "label", "no label.", b"3")),
        (first, Rejected(4, "label", "no label.", b"4")),
        (second, Rejected(5, "label", "no label.", b"5")),
    )
    assert [value for value, _ in found] == [b"1\n2", b"3", b"4", b"5"]
    assert [told["id"] for _, told in found] == [
        "ads/clicks/3/7/0",
        "ads/clicks/3/7/2",
        "ads/clicks/3/7/4",
        "ads/clicks/3/8/5",
    ]
    assert [told.get("rows") for _, told in found] == ["2", None, None, None]
    assert found[0][1]["reason"] == "no object: 1."
    assert packed() == []


def test_a_message_that_several_sources_refuse_is_kept_once():
    one = message(7, b'{"a": 1}')
    ((value, told),) = packed(*((one, Rejected(row, "mapping", "no.", one.value)) for row in range(3)))
    assert (value, told["rows"]) == (b'{"a": 1}', "3")


class Topic:
    def __init__(self):
        self.rows, self.calls = [], []

    async def append(self, rows):
        self.rows += rows
        self.calls.append(len(rows))
        return []


def context_of(pace):
    return SimpleNamespace(
        task=TASK,
        mappings={"clicks": Mapping(TASK, "clicks")},
        logs={"clicks": None},
        enricher=None,
        counts=Counts(),
        telemetry=Telemetry(),
        pace=pace,
        appender=Topic(),
        quarantine=Topic(),
    )


def deliver(*documents):
    context = context_of(Pace())

    async def go():
        intake = Intake(context, "clicks", 0)
        intake.status = "live"
        await intake.deliver([message(at, json.dumps(document).encode()) for at, document in enumerate(documents)])
        assert (intake.error, intake.position) == (None, len(documents))

    asyncio.run(go())
    return context


def test_many_short_rows_that_are_all_wrong_do_not_become_many_times_as_large():
    value = [7] * 1_000
    context = deliver(value)
    (row,) = context.quarantine.rows
    assert size_of(row) < 2 * len(json.dumps(value))
    assert context.counts == Counts(rejected=1_000)


def test_a_message_of_more_rows_than_the_event_log_takes_is_refused_as_one():
    context = deliver([7] * 100_000)
    (row,) = context.quarantine.rows
    told = dict(row.headers)
    assert (told["code"], told["row"]) == (b"too_many_rows", b"0")
    assert told["reason"] == b"'rows' of the mapping finds 100000 rows in one message. Send up to 1000."
    assert json.loads(row.value) == [7] * 100_000
    assert context.counts == Counts(rejected=1)


def test_so_many_rows_are_appended_at_a_time_and_none_is_left_behind(monkeypatch):
    monkeypatch.setattr(headrace.agents.intake, "ROWS_TOGETHER", 5)
    good = {"x": {"a": 1}, "y": True}
    context = deliver([good] * 3, [good, 0, good], [good] * 4, [good])
    assert context.appender.calls == [5, 5]
    assert context.counts == Counts(mapped=10, left_out=1)
    sources = [json.loads(row.value)["source"] for row in context.appender.rows]
    assert sources == [
        f"clicks/0/{at}/{row}" for at, rows in enumerate(((0, 1, 2), (0, 2), range(4), (0,))) for row in rows
    ]


def test_others_are_let_in_between_the_rows_of_one_message():
    turns = 0

    async def go():
        nonlocal turns
        intake = Intake(context_of(Pace(yield_after=0.0)), "clicks", 0)
        intake.status = "live"
        delivery = asyncio.create_task(intake.deliver([message(0, json.dumps([{"x": {}, "y": True}] * 200).encode())]))
        while not delivery.done():
            turns += 1
            await asyncio.sleep(0)

    asyncio.run(go())
    assert turns > 300, "while they are mapped, and while they are checked"

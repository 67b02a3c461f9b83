"""Filling a new task's log: every record once, where its key belongs, by time, and no control record."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from aiokafka.errors import MessageSizeTooLargeError, NotEnoughReplicasError
from fakes.producer import Producer, starting

from headrace.agents.replay.refill import MESSAGE_MAX, Rewriter, append, find_known, merged
from headrace.agents.replay.replay import ReplayError
from headrace.learning.fold.learner import Learner
from headrace.learning.records.message import Message
from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.partitioner import partition_of

OLD = Task(name="old", kind="binary", partitions=2)
NEW = Task(name="new", kind="binary", partitions=3)


def rewriter(known=None, old=OLD, new=NEW):
    return Rewriter(old, new, known or [{} for _ in range(new.partitions)])


def message(offset, *rows, key=None, timestamp=0):
    value = b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)
    return Message(offset, value, timestamp, key)


def records(outgoing):
    return [json.loads(line) for one in outgoing for line in one.value.split(b"\n")]


class Log:
    """Event logs in memory: the messages of each partition."""

    def __init__(self, *partitions):
        self.partitions = [list(messages) for messages in partitions]

    async def read(self, partition, start, end):
        for one in self.partitions[partition]:
            if start <= one.offset < end:
                yield one

    async def ends(self, partitions):
        return {at: self.partitions[at][-1].offset + 1 if self.partitions[at] else 0 for at in partitions}


def test_a_record_is_taken_over_to_the_byte_with_its_place_as_its_source():
    line = b'{"features": {"x": 1e-7, "y": 12345678901234567},  "label": true} '
    (out,) = rewriter().rewrite(1, message(7, line, key=b"user-1", timestamp=99))
    assert out.value == line.rstrip()[:-1] + b',"source":"old.events/1/7/0"}'
    assert (out.key, out.timestamp, out.partition) == (b"user-1", 99, partition_of(b"user-1", 3))


def test_control_records_stay_behind_and_are_counted():
    made = rewriter()
    out = made.rewrite(0, message(0, {"control": "rollback"}, {"features": {"x": 1}, "label": True}, b"no JSON"))
    assert [record["source"] for record in records(out)] == ["old.events/0/0/1"]
    assert (made.filled.controls, made.filled.unreadable, made.filled.appended) == (1, 1, 1)


def test_a_question_and_its_label_without_a_key_meet():
    made = rewriter()
    for number in range(20):
        asked = made.rewrite(0, message(2 * number, {"id": f"q{number}", "features": {"x": 1}}))
        told = made.rewrite(0, message(2 * number + 1, {"id": f"q{number}", "label": True}))
        assert asked[0].partition == told[0].partition
    assert all(made.filled.shards)


def test_what_is_there_already_is_not_appended_again():
    log = [message(at, {"id": f"a{at}", "features": {"x": at}, "label": True}) for at in range(50)]
    first = [out for one in log[:31] for out in rewriter().rewrite(0, one)]
    shards = [[], [], []]
    for out in first:
        shards[out.partition].append(Message(len(shards[out.partition]), out.value))
    known = asyncio.run(find_known(Log(*shards), OLD, NEW))
    again = rewriter(known)
    rest = [out for one in log for out in again.rewrite(0, one)]
    assert [record["id"] for record in records(rest)] == [f"a{at}" for at in range(31, 50)]
    assert again.filled.known == 31


def test_a_log_with_records_of_its_own_is_not_filled():
    with pytest.raises(ReplayError, match="records of its own"):
        asyncio.run(find_known(Log([message(0, {"features": {}, "label": True})], [], []), OLD, NEW))


@pytest.mark.parametrize("source", ["old.events/", "old.events/0", "old.events/0/x", "old.events/0/-/1"])
def test_a_source_that_somebody_made_up_is_passed_over(source):
    (ours,) = rewriter().rewrite(0, message(7, {"id": "a", "features": {"x": 1}, "label": True}, key=b"k"))
    shards = [[], [], []]
    shards[ours.partition] = [Message(0, ours.value), message(1, {"features": {}, "label": True, "source": source})]
    known = asyncio.run(find_known(Log(*shards), OLD, NEW))
    assert known[ours.partition] == {"old.events/0": (7, 0)}


def test_a_record_that_a_source_had_sent_twice_is_taken_over_once():
    made, row = rewriter(), {"features": {"x": 1}, "label": True, "source": "clicks/0/5"}
    out = made.rewrite(0, message(0, row)) + made.rewrite(0, message(1, row))
    assert [record["source"] for record in records(out)] == ["old.events/0/0/0"]
    assert made.filled.repeated == 1


def test_what_was_served_is_left_behind_when_the_kind_changes():
    row = {"id": "a", "features": {"x": 1}, "served": {"arm": "champion", "prediction": True, "position": 3}}
    (same,) = records(rewriter().rewrite(0, message(0, row)))
    assert same["served"] == row["served"]
    (other,) = records(rewriter(new=Task(name="new", kind="regression", partitions=3)).rewrite(0, message(0, row)))
    assert "served" not in other


def test_rows_that_grow_beyond_a_message_are_cut_in_their_order():
    rows = [{"id": str(number), "features": {"t": "x" * 4000}, "label": True} for number in range(240)]
    out = rewriter().rewrite(0, message(0, *rows, key=b"k"))
    assert len(out) == 2
    assert all(len(one.value) <= MESSAGE_MAX for one in out)
    assert [record["id"] for record in records(out)] == [str(number) for number in range(240)]


def test_partitions_are_merged_by_log_time_each_in_its_order():
    log = Log(
        [message(at, {"n": at}, timestamp=time) for at, time in enumerate([0, 50, 20, 90])],
        [message(at, {"n": at}, timestamp=time) for at, time in enumerate([10, 30, 60])],
    )

    async def read():
        return [(partition, one.offset) async for partition, one in merged(log, await log.ends([0, 1]))]

    # The third message of the first partition bears an earlier time than the second: it comes at that one's.
    assert asyncio.run(read()) == [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 2), (0, 3)]


def test_a_fold_of_the_new_log_learns_what_the_old_one_did():
    rows = [{"id": f"a{at}", "features": {"x": float(at % 5)}, "label": at % 2 == 0} for at in range(60)]
    log = [message(at, row, timestamp=at) for at, row in enumerate(rows)]
    one = Task(name="new", kind="binary")
    outgoing = [out for entry in log for out in rewriter(old=OLD, new=one).rewrite(0, entry)]
    old, new = Learner(OLD, 0), Learner(one, 0)
    for offset, (entry, out) in enumerate(zip(log, outgoing, strict=True)):
        list(old.fold(entry))
        for place in (2 * offset, 2 * offset + 1):  # appended twice: the fold skips the second by its source
            list(new.fold(SimpleNamespace(offset=place, timestamp=out.timestamp, key=out.key, value=out.value)))
    assert new.champion.digest == old.champion.digest
    assert new.state.skipped == 60


class Topic:
    """The new log, as a broker has it: it may refuse a batch, or what is too large, and takes all that comes after."""

    def __init__(self, refused=(), value_max=None, timestamp_type=0):
        self.shards, self.refused, self.value_max = [[], [], []], set(refused), value_max
        self.timestamp_type, self.batches = timestamp_type, 0

    def take(self, records):
        self.batches += 1
        if self.batches in self.refused:
            raise NotEnoughReplicasError
        if self.value_max is not None and sum(len(record.value) for record in records) > self.value_max:
            raise MessageSizeTooLargeError
        for record in records:
            shard = self.shards[record.partition]
            shard.append(Message(len(shard), record.value, key=record.key))
        return SimpleNamespace(timestamp_type=self.timestamp_type)

    def fill(self, log, monkeypatch):
        """Fill it, as `headrace replay --into` does."""

        async def run():
            made = rewriter(await find_known(Log(*self.shards), OLD, NEW))

            async def outgoing():
                for one in log:
                    for out in made.rewrite(0, one):
                        yield out

            await append(Brokers("127.0.0.1:1"), NEW, outgoing(), made.filled)
            return made.filled

        starting(monkeypatch, lambda: Producer(self.take))
        return asyncio.run(run())

    def sources(self):
        return [[record["source"] for record in records(shard)] for shard in self.shards]


def complete(log):
    """What each shard has in the end."""
    shards = [[], [], []]
    for out in [out for one in log for out in rewriter().rewrite(0, one)]:
        shards[out.partition] += [record["source"] for record in records([out])]
    return shards


def large_rows(count, size=20_000):
    return [
        message(at, {"id": f"a{at}", "features": {"t": "x" * size}, "label": True}, timestamp=at) for at in range(count)
    ]


@pytest.mark.parametrize("refused", range(1, 7))
def test_a_batch_that_the_broker_refuses_is_not_left_out_by_the_next_run(refused, monkeypatch):
    log, topic = large_rows(100), Topic(refused=[refused])
    with pytest.raises(NotEnoughReplicasError):
        topic.fill(log, monkeypatch)
    left = 100 - sum(map(len, topic.sources()))
    assert left > 0
    assert topic.fill(log, monkeypatch).appended == left
    assert topic.sources() == complete(log)


def test_a_row_that_is_too_large_is_named_and_all_is_there_once_the_topic_takes_it(monkeypatch):
    log, topic = large_rows(40), Topic(value_max=50_000)
    (large,) = large_rows(1, size=60_000)
    log[20] = message(20, json.loads(log[20].value), json.loads(large.value) | {"id": "a20"})
    with pytest.raises(ReplayError, match=r"record at old.events/0/20/1 is too large for new.events") as error:
        topic.fill(log, monkeypatch)
    assert "max.message.bytes" in str(error.value)
    assert [place for shard in topic.sources() for place in shard if place == "old.events/0/20/0"]
    topic.value_max = 100_000
    topic.fill(log, monkeypatch)
    assert topic.sources() == complete(log)


def test_a_message_that_is_too_large_for_the_topic_is_cut_into_its_rows(monkeypatch):
    rows = [{"id": str(number), "features": {"t": "x" * 4000}, "label": True} for number in range(50)]
    log, topic = [message(0, *rows, key=b"k"), message(1, rows[0], key=b"k")], Topic(value_max=10_000)
    assert topic.fill(log, monkeypatch).appended == 51
    assert topic.sources() == complete(log)


def test_it_is_told_whether_the_broker_keeps_the_times(monkeypatch):
    assert Topic().fill(large_rows(3), monkeypatch).times_kept
    assert not Topic(timestamp_type=1).fill(large_rows(3), monkeypatch).times_kept

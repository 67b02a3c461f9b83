"""Messages are taken in their order and each once, whatever is delivered; what is missing is read from the log first."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaConnectionError
from fakes.log import Log

from headrace.agents.ordered_partition import OrderedPartition, split_at_gaps
from headrace.learning.errors import LogError


def messages(*offsets):
    return [SimpleNamespace(offset=offset, value=None) for offset in offsets]


def log_of(*offsets):
    return Log([messages(*offsets)])


class Partition(OrderedPartition):
    """Notes what is asked of it."""

    what, position = "a partition", 0

    def __init__(self, log):
        super().__init__(log, 0, {})
        self.status, self.error = "live", None
        self.taken, self.runs, self.passed, self.compared, self.failure = [], [], [], 0, None

    async def take(self, messages):
        self.runs.append(len(messages))
        for message in messages:
            await self.pass_over(message.offset)
            self.taken.append(message.offset)
            self.position = message.offset + 1

    async def pass_over(self, offset):
        if offset > self.position:
            self.passed.append((self.position, offset))
            self.position = offset

    async def compare(self):
        await asyncio.sleep(0)
        if self.failure:
            raise self.failure
        self.compared += 1

    async def handle(self, error):
        self.halt(error)


class Trusting(Partition):
    trusts_deliveries, compares_before_gap, run_max = True, False, 3


def deliver(partition, *deliveries):
    async def run():
        for offsets in deliveries:
            await partition.deliver(messages(*offsets), "one run")

    asyncio.run(run())
    return partition


@pytest.mark.parametrize("kind", [Partition, Trusting])
def test_duplicates_are_skipped_and_a_gap_is_read_before_what_comes_after_it(kind):
    partition = deliver(kind(log_of(*range(20))), [0, 1, 2], [1, 2], [2, 3], [10, 11])
    assert partition.taken == list(range(12))
    assert partition._log.reads == [(4, 10)]


def test_offsets_that_are_missing_in_a_delivery_are_a_gap_unless_deliveries_are_trusted():
    partition = deliver(Partition(log_of(*range(20))), [0, 1, 4, 5])
    assert (partition.taken, partition._log.reads) == ([0, 1, 2, 3, 4, 5], [(2, 4)])
    partition = deliver(Trusting(log_of(*range(20))), [0, 1, 4, 5])
    assert (partition.taken, partition._log.reads) == ([0, 1, 4, 5], [])


def test_offsets_that_hold_nothing_in_the_log_are_passed_over():
    partition = deliver(Partition(log_of(0, 1, 4, 7)), [0, 1], [9])
    assert (partition.taken, partition.passed) == ([0, 1, 4, 7, 9], [(2, 4), (5, 7), (8, 9)])


def test_a_gap_is_taken_in_runs():
    assert deliver(Partition(log_of(*range(20))), [7]).runs == [1] * 8
    assert deliver(Trusting(log_of(*range(20))), [7]).runs == [3, 3, 1, 1]


def test_the_log_is_looked_at_before_a_delivery_that_is_not_joined_and_before_a_gap():
    assert deliver(Partition(log_of(*range(20))), [0], [1], [2]).compared == 1
    assert deliver(Partition(log_of(*range(20))), [0], [5]).compared == 2
    assert deliver(Trusting(log_of(*range(20))), [0], [5]).compared == 1

    async def run():
        partition = Partition(log_of(*range(20)))
        for at in range(3):
            await partition.deliver(messages(at))
        return partition

    assert asyncio.run(run()).compared == 3, "nothing joins deliveries without a link"


def test_deliveries_of_duplicates_alone_cost_no_look_at_the_log():
    class Comparing(Partition):
        compares_duplicates = True

    async def run(kind):
        partition = kind(log_of(*range(20)))
        await partition.deliver(messages(0, 1, 2))
        for _ in range(5):
            await partition.deliver(messages(1, 2))
        return partition.compared

    assert (asyncio.run(run(Partition)), asyncio.run(run(Comparing))) == (1, 6)


@pytest.mark.parametrize("kind", [Partition, Trusting])
def test_a_delivery_for_which_the_log_could_not_be_looked_at_vouches_for_no_other(kind):
    partition = kind(log_of(*range(20)))
    partition.failure = KafkaConnectionError("away")
    deliver(partition, [0, 1])
    assert (partition.taken, partition.status) == ([], "live")
    partition.failure = LogError("another log.")
    deliver(partition, [2, 3])
    assert (partition.taken, partition.status, partition.error) == ([], "stopped", "another log.")


def test_a_partition_that_is_taken_away_takes_no_more():
    class Leaving(Partition):
        async def take(self, messages):
            await super().take(messages)
            if self.position == 5:
                self.status = "stale"

    assert deliver(Leaving(log_of(*range(20))), [0, 1], [9, 10], [11]).taken == [0, 1, 2, 3, 4]


def test_only_the_first_error_stops_a_partition_and_it_stays():
    partition = Partition(log_of())
    assert partition.halt(RuntimeError("the first"))
    assert not partition.halt(LogError("the second."))
    assert (partition.status, partition.error) == ("stopped", "the first")


def test_a_delivery_is_split_where_offsets_are_missing():
    for offsets, runs in (
        ([3], [[3]]),
        ([3, 4, 5], [[3, 4, 5]]),
        ([3, 5], [[3], [5]]),
        ([1, 2, 9, 10, 12], [[1, 2], [9, 10], [12]]),
    ):
        assert [[m.offset for m in run] for run in split_at_gaps(messages(*offsets))] == runs

"""What stands further on in the log is found whether the fold goes on, or begins again further back."""

import asyncio
import json

from headrace.agents.lookahead import Lookahead
from headrace.learning.fold.learner import Learner
from headrace.learning.records.message import Message
from headrace.learning.supplies import InMemory, Supplies
from headrace.learning.task import Task, define

TASK = Task(name="ads", kind="binary")


class Read:
    """A log of one partition, which is read as often as somebody asks."""

    def __init__(self, *rows):
        self.messages = [Message(at, json.dumps(row).encode(), at) for at, row in enumerate(rows)]

    async def ends(self, partitions):
        return {0: len(self.messages)}

    async def read(self, partition, start, end):
        for one in self.messages[start:end]:
            yield one


def job(name):
    return {"control": "job", "job": name, "recipe": {}}


def install(name):
    return {"control": "install", "id": name, "recipe": {}}


def given_up(name, why):
    return {"control": "outcome", "of": name, "artefact": None, "why": why}


def fold(log, lookahead, to):
    """Fold the log from its beginning to a position, as a shard does."""
    learner = Learner(TASK, 0, supplies=Supplies(InMemory(), lookahead.promises, ()))

    async def run():
        for one in log.messages[:to]:
            assert await lookahead.find_hindrance(learner, one) is None, one
            for _ in learner.fold(one):
                pass

    asyncio.run(run())
    return learner


def test_a_fold_that_begins_again_further_back_finds_the_first_outcome_again():
    rows = [{"control": "define", "task": json.loads(define(TASK)), "first": True}]
    rows += [job("a"), install("a"), given_up("a", "first"), given_up("a", "second"), {"control": "tick"}]
    rows += [job("b"), install("b"), given_up("b", "third")]
    log = Read(*rows)
    whole = Lookahead(log, 0, TASK)
    wanted = fold(log, whole, len(rows)).state.controls
    assert "first" in wanted["a"]
    late = Lookahead(log, 0, TASK)
    learner = Learner(TASK, 0, supplies=Supplies(InMemory(), late.promises, ()))
    learner.state.jobs["b"] = b"{}"
    asyncio.run(late.find_hindrance(learner, log.messages[7]))  # it is far ahead
    assert fold(log, late, len(rows)).state.controls == wanted


def test_a_fold_that_has_gone_on_reads_from_where_it_is():
    rows = [{"control": "tick"}] * 50 + [install("a"), given_up("a", "why")]
    log, learner = Read(*rows), Learner(TASK, 0)
    learner.state.jobs["a"] = b"{}"
    lookahead = Lookahead(log, 0, TASK)
    assert asyncio.run(lookahead.find_hindrance(learner, log.messages[50])) is None
    log.messages.append(Message(52, json.dumps(install("b")).encode(), 52))
    learner.state.jobs["b"] = b"{}"
    assert asyncio.run(lookahead.find_hindrance(learner, log.messages[52])).id == "b"
    log.messages.append(Message(53, json.dumps(given_up("b", "why")).encode(), 53))
    assert asyncio.run(lookahead.find_hindrance(learner, log.messages[52])) is None


async def fold_and_count(lookahead, learner):
    """Fold a whole log that never has to be waited for; the most outcomes that were kept at a time."""
    most = 0
    for one in lookahead.log.messages:
        assert await lookahead.find_hindrance(learner, one) is None
        most = max(most, lookahead.promises.noted)
        for _ in learner.fold(one):
            pass
    return most


def test_no_more_is_kept_than_stands_between_the_shard_and_what_it_waits_for():
    rows = [{"control": "define", "task": json.loads(define(TASK)), "first": True}]
    for number in range(50):
        name = f"j{number}"
        rows += [job(name), install(name), given_up(name, "first"), given_up(name, "second"), given_up("other", "")]
    lookahead = Lookahead(Read(*rows), 0, TASK)
    learner = Learner(TASK, 0, supplies=Supplies(InMemory(), lookahead.promises, ()))
    most = asyncio.run(fold_and_count(lookahead, learner))
    assert all("first" in learner.state.controls[f"j{number}"] for number in range(50))
    assert most == 1


def test_promises_that_overlap_without_end_keep_only_what_is_ahead():
    """Each promise is made before the outcome of the one before, so the stretch that is read never ends."""
    rows = [{"control": "define", "task": json.loads(define(TASK)), "first": True}, job("j0"), job("j1"), install("j0")]
    for number in range(1, 40):
        rows += [job(f"j{number + 1}"), install(f"j{number}"), given_up(f"j{number - 1}", f"end {number - 1}")]
    rows += [given_up("j39", "end 39")]
    lookahead = Lookahead(Read(*rows), 0, TASK)
    learner = Learner(TASK, 0, supplies=Supplies(InMemory(), lookahead.promises, ()))
    most = asyncio.run(fold_and_count(lookahead, learner))
    assert [learner.state.controls[f"j{number}"] for number in (0, 39)] == [
        f"refused: the job was given up: end {number}." for number in (0, 39)
    ]
    assert most <= 2


def test_an_outcome_is_looked_for_no_further_than_it_stands():
    class Counted(Read):
        count = 0

        async def read(self, partition, start, end):
            async for one in super().read(partition, start, end):
                self.count += 1
                yield one

    log = Counted(job("a"), install("a"), given_up("a", "why"), *[{"control": "tick"}] * 1_000)
    fold(log, Lookahead(log, 0, TASK), 3)
    assert log.count == 2, "the install and its outcome"

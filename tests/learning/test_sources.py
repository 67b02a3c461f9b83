"""What was folded from a source position is not folded again."""

import json
import random
from types import SimpleNamespace

import pytest

import headrace.learning.fold.sources
from headrace.learning.fold.learner import Learner
from headrace.learning.records import Reader, Record, Refused
from headrace.learning.task import Task

TASK = Task(name="t", kind="binary")


def fold(*records):
    learner = Learner(TASK, 0)
    for offset, record in enumerate(records):
        value = json.dumps({"features": {"x": 1}, "label": True} | record).encode()
        for _ in learner.fold(SimpleNamespace(offset=offset, timestamp=0, key=None, value=value)):
            pass
    return learner.state


@pytest.mark.parametrize(
    ("places", "learned"),
    [
        (["a/0/1", "a/0/2", "a/0/2", "a/0/1", "a/0/3"], 3),
        (["a/0/5", "a/0/5/0", "a/0/5/1", "a/0/5/1", "a/0/6"], 3),
        (["a/0/1", "b/0/1", "a/1/1", "a/0/1"], 3),
        (["a/0/9", "a/0/10", "a/0/9"], 2),
    ],
)
def test_a_source_position_counts_once_for_each_topic_and_partition(places, learned):
    state = fold(*({"source": place} for place in places))
    assert (state.updates, state.skipped, state.quarantined) == (learned, len(places) - learned, 0)


def test_of_too_many_partitions_of_sources_the_first_ones_count_on(monkeypatch):
    monkeypatch.setattr(headrace.learning.fold.sources, "SOURCES_MAX", 2)
    state = fold(*({"source": place} for place in ["a/0/1", "b/0/1", "c/0/1", "a/0/2", "c/0/2", "b/0/1"]))
    assert (state.updates, state.skipped, state.quarantined) == (3, 1, 2)
    assert state.sources == {"a/0": (2, 0), "b/0": (1, 0)}


def test_records_without_a_source_all_count():
    assert fold({}, {}, {"source": "a/0/1"}, {}).updates == 4


@pytest.mark.parametrize(
    "more",
    [
        {"source": "a"}, {"source": "a/0"}, {"source": "a/b/1"}, {"source": "a/0/-1"}, {"source": "a/0/1/2/3"}, {"source": ""},
        {"source": 7}, {"source": None}, {"source": "a/0/1234567890123456789"}, {"source": "a/0/1\n"}, {"source": "a/0/1/2\n"},
        {"served": {}}, {"served": None}, {"served": {"arm": "champion", "prediction": True}},
        {"served": {"arm": "champion", "prediction": "yes", "position": 1}},
        {"served": {"arm": "champion", "prediction": True, "position": -1}},
        {"served": {"arm": "", "prediction": True, "position": 1}},
        {"served": {"arm": "champion", "prediction": True, "position": 1, "more": 1}},
    ],
)  # fmt: skip
def test_a_source_or_an_answer_of_another_form_is_refused(more):
    (record,) = Reader(TASK).read(json.dumps({"id": "q", "features": {"x": 1}} | more).encode())
    assert isinstance(record, Refused)


def test_a_key_that_stands_twice_in_what_was_served_is_refused():
    line = b'{"id":"q","features":{"x":1},"served":{"arm":"a","prediction":true,"prediction":false,"position":1}}'
    (record,) = Reader(TASK).read(line)
    assert (record.code, "prediction" in record.reason) == ("duplicate_key", True)
    (whole,) = Reader(TASK).read(line.replace(b'"prediction":false,', b""))
    assert isinstance(whole, Record)


def test_a_look_ahead_finds_the_records_that_are_new_and_changes_nothing(monkeypatch):
    monkeypatch.setattr(headrace.learning.fold.sources, "SOURCES_MAX", 4)
    dice = random.Random(1)
    for _ in range(300):
        folded = {f"a/{dice.randint(0, 5)}": (dice.randint(0, 9), dice.randint(0, 2)) for _ in range(2)}
        before = dict(folded)
        some = [f"a/{dice.randint(0, 5)}/{at + dice.randint(0, 9)}/{dice.randint(0, 2)}" for at in range(12)]
        found = headrace.learning.fold.sources.find_new(folded, some)
        assert folded == before
        verdicts = [headrace.learning.fold.sources.advance(folded, source) for source in some[: len(found) + 1]]
        assert verdicts == ["new"] * len(found) + verdicts[len(found) :]
        assert len(found) == len(some) or verdicts[-1] != "new"
        assert dict(found).items() <= folded.items()

"""Questions with `log`: a worker refuses those that the fold would refuse, as far as it knows."""

import json
from types import SimpleNamespace

import msgspec
import pytest

from headrace.app.serving import logged
from headrace.app.serving.logged import UnderWay, refuse_large
from headrace.app.serving.refused import RequestRefused
from headrace.learning.fold.learner import Learner
from headrace.learning.task import Task
from headrace.learning.waiting.join import ENTRY_MAX

TASK = Task(name="ads", kind="multiclass", model="naive_bayes", wait="10s")


class Shards:
    """One shard of a task, owned or not, with a log that `fold` folds."""

    def __init__(self, *, is_owned=True):
        self.task, self.learner, self.log = TASK, Learner(TASK, 0), []
        self.shard = SimpleNamespace(status="live", learner=self.learner)
        self.owned = {0: self.shard} if is_owned else {}
        self.move()

    def append(self, record, timestamp=0):
        value = json.dumps(record).encode()
        self.log.append(SimpleNamespace(offset=len(self.log), timestamp=timestamp, key=None, value=value))
        return len(self.log) - 1

    def fold(self):
        for message in self.log[self.learner.state.position :]:
            for _ in self.learner.fold(message):
                pass
        self.move()

    def move(self):
        self.shard.position = self.learner.state.position

    def answering(self, partition):
        return self.shard


QUESTION = {"id": "q", "features": {"x": 1.0}}
NAME = (0, "q")


def is_refused(under_way, name=NAME):
    try:
        with under_way.claimed([name]):
            return False
    except RequestRefused as refused:
        return (refused.kind, refused.code) == ("conflict", "duplicate_id")


def test_an_id_is_refused_from_the_claim_until_the_fold_forgets_it():
    shards = Shards()
    under_way = UnderWay(shards)
    with under_way.claimed([NAME]):
        assert is_refused(under_way)
        under_way.sent(NAME, shards.append(QUESTION))
    assert is_refused(under_way), "it is in the log and not folded"
    shards.fold()
    assert is_refused(under_way), "it waits for its label"
    shards.append({"id": "q", "label": "a"}, timestamp=1000)
    shards.fold()
    assert is_refused(under_way), "it has met its label"
    assert not is_refused(under_way, (0, "another"))
    shards.append({"features": {"x": 1.0}, "label": "a"}, timestamp=20_000)
    shards.fold()
    assert not is_refused(under_way), "its waiting time has passed"


def test_a_label_that_waits_for_its_question_does_not_refuse_it():
    shards = Shards()
    shards.append({"id": "q", "label": "a"})
    shards.fold()
    assert not is_refused(UnderWay(shards))


def test_an_id_is_free_again_when_its_question_was_not_appended():
    under_way = UnderWay(Shards())
    with pytest.raises(KeyError), under_way.claimed([NAME]):
        raise KeyError
    assert not is_refused(under_way)
    with under_way.claimed([NAME]):
        under_way.sending(NAME)
    assert is_refused(under_way), "nobody waits for its acknowledgement"
    under_way.sent(NAME, None)
    assert not is_refused(under_way)


def test_a_batch_may_not_have_an_id_twice_and_claims_none_of_its_ids_then():
    under_way = UnderWay(Shards())
    with pytest.raises(RequestRefused, match="'q'"), under_way.claimed([(0, "p"), NAME, NAME]):
        pass
    assert not is_refused(under_way)
    assert not is_refused(under_way, (0, "p"))


def test_the_same_id_in_another_shard_is_another_question():
    under_way = UnderWay(Shards())
    with under_way.claimed([NAME]):
        assert not is_refused(under_way, (1, "q"))


def test_a_worker_that_does_not_own_the_shard_knows_an_id_until_its_replica_has_passed_it():
    shards = Shards(is_owned=False)
    under_way = UnderWay(shards)
    with under_way.claimed([NAME]):
        under_way.sent(NAME, shards.append(QUESTION))
    assert is_refused(under_way)
    shards.fold()
    assert not is_refused(under_way)


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(logged, "IDS_MAX", 10)
    under_way = UnderWay(Shards(is_owned=False))
    for number in range(100):
        with under_way.claimed([(0, f"q{number}")]):
            under_way.sent((0, f"q{number}"), number)
    assert len(under_way._offsets) <= 12
    assert len(under_way._sent) <= 12


def test_a_database_in_trouble_refuses_no_question():
    shards = Shards()

    def fail(*_):
        raise OSError("a damaged file")

    shards.learner.join.find = fail
    assert not is_refused(UnderWay(shards))


@pytest.mark.parametrize("classes", [0, 200])
def test_what_is_not_refused_as_too_large_the_fold_takes(classes):
    shards = Shards()
    for number in range(classes):
        shards.append({"features": {"x": float(number)}, "label": f"class {number}"})
    shards.fold()
    learner, outcomes = shards.learner, set()
    for size in range(ENTRY_MAX - 24_000, ENTRY_MAX + 1000, 250):
        features = {f"f{at}": "x" * 2000 for at in range(size // 2010)}
        features["rest"] = "x" * (size - len(msgspec.msgpack.encode(features)))
        outcome = "answered"
        try:
            refuse_large(learner, features, learner.champion.predict(features))
        except RequestRefused as refused:
            outcome = refused.code
        before = learner.state.quarantined
        shards.append({"id": str(size), "features": features})
        shards.fold()
        outcomes.add((outcome, learner.state.quarantined == before))
    assert {("answered", True), ("too_large", False)} <= outcomes
    assert outcomes <= {("answered", True), ("too_large", False), ("too_large", True)}, (
        "answered, and then refused by the fold"
    )

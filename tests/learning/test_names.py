"""How many features a record may have, and how many names a shard learns: of features, and of the values of strings."""

import json
import random
from types import SimpleNamespace

import pytest

from headrace.learning.effects import Quarantined
from headrace.learning.errors import RecordError
from headrace.learning.fold.learner import Learner
from headrace.learning.records import Reader
from headrace.learning.records.names import Names, is_bounded
from headrace.learning.snapshot import digest, seal, unseal
from headrace.learning.task import Feature, Task, Unanswered, define, fingerprint


def task(**more):
    return Task(name="ads", kind="binary", name_limit=4, **more)


def fold(learner, *records, timestamp=0):
    """What was refused."""
    refused = []
    for record in records:
        value, offset = json.dumps(record).encode(), learner.state.position
        message = SimpleNamespace(offset=offset, timestamp=timestamp, key=None, value=value)
        for effects in learner.fold(message):
            refused += [effect for effect in effects if isinstance(effect, Quarantined)]
    return refused


def sample(**features):
    return {"features": features, "label": True}


FULL = sample(price=1.0, country="PT", shop=2.0, age=3.0)
"""Four names of features."""

OWN = "users_models:Half"


@pytest.mark.parametrize("snapshot", [False, True])
@pytest.mark.parametrize(
    ("new", "shown", "model", "full"),
    [
        (sample(price=1.0, colour=1.0), "feature 'colour' is 1.0", "", FULL),
        (sample(price=1.0, colour=1.0), "feature 'colour' is 1.0", OWN, sample(price=1.0, country="PT", shop=2.0)),
        (sample(country="ES"), "feature 'country' is 'ES'", OWN, sample(price=1.0, country="PT", shop=2.0)),
        (sample(price="much"), "feature 'price' is 'much'", OWN, sample(price=1.0, country="PT", shop=2.0)),
    ],
)
def test_a_new_name_beyond_the_limit_is_refused_and_changes_nothing_of_the_model(new, shown, model, full, snapshot):
    learner = Learner(task(model=model), 0)
    assert fold(learner, full) == []
    if snapshot:
        learner = Learner(learner.task, 0, unseal(seal(learner.state, learner.task, 0, writer="test"), learner.task, 0))
    before = digest(learner.champion)
    (refused,) = fold(learner, new)
    assert refused.code == "too_many_names"
    assert f"{shown}, a new name, and 4 are known already." in refused.reason
    assert json.loads(refused.value) == new
    assert digest(learner.champion) == before
    assert fold(learner, full, sample(country="PT"), sample(country=1.0)) == []
    assert learner.state.updates == 4


def test_new_values_of_strings_are_no_new_names_for_models_that_hash_them():
    learner = Learner(task(), 0)
    assert fold(learner, FULL, *(sample(country=f"c{number}") for number in range(1_100))) == []
    assert learner.state.names == dict.fromkeys(FULL["features"])
    assert len(learner.champion.model.step.strings.known["country"]) == 1_000


def test_a_question_is_counted_when_it_is_learned_and_refused_as_a_sample_when_there_is_no_room():
    learner = Learner(task(), 0)
    question = {"id": "a", "features": {"colour": 1.0}}
    assert fold(learner, question, FULL) == [], "a question that nobody answers takes no room"
    (refused,) = fold(learner, {"id": "a", "label": False})
    assert refused.code == "too_many_names"
    assert json.loads(refused.value) == {**question, "label": False}
    assert (learner.state.updates, learner.state.join.answered) == (1, 1)


def test_an_assumed_label_is_no_way_around_the_limit():
    learner = Learner(task(wait="1s", unanswered=Unanswered(assume=False)), 0)
    fold(learner, {"id": "a", "features": {"colour": 1.0}}, FULL)
    (refused,) = fold(learner, {"control": "tick"}, timestamp=2_000)
    assert (refused.code, json.loads(refused.value)["id"]) == ("too_many_names", "a")
    assert learner.state.updates == 1


def test_the_limits_are_part_of_what_decides_the_fold():
    tasks = [Task(name="ads", kind="binary"), task(), Task(name="ads", kind="binary", feature_limit=3)]
    assert len({fingerprint(define(one)) for one in tasks}) == 3


def test_names_are_counted_exactly():
    rng = random.Random(5)
    names, known = Names(60, {}, values=True), set()
    for _ in range(500):
        features = {rng.choice("abcdefgh"): rng.choice([1.0, True, *"uvwxyz"]) for _ in range(rng.randrange(4))}
        met = known | {(name,) for name in features}
        met |= {(name, value) for name, value in features.items() if isinstance(value, str)}
        fault = names.admit(features)
        assert (fault is None) == (len(met) <= 60)
        if fault is None:
            known = met
        found = {(name,) for name in names.known}
        found |= {(name, value) for name, values in names.known.items() for value in values or ()}
        assert found == known
    assert len(Names(60, names.known, values=True).known) == 8
    assert Names(60, names.known, values=True)._room == names._room == 60 - len(known)


def test_where_the_declaration_limits_the_names_none_are_kept():
    text = Feature(type="string")
    closed = {"price": Feature(), "country": Feature(type="string", values=["PT"])}
    declared = (None, closed, {"x": text})
    assert [is_bounded(task(features=features)) for features in declared] == [False, True, True]
    assert [is_bounded(task(features=features, model=OWN)) for features in declared] == [False, True, False]
    learner = Learner(task(features=closed), 0)
    assert fold(learner, sample(price=1.0, country="PT")) == []
    assert learner.state.names == {}


def test_a_record_may_have_so_many_features_unless_they_are_declared():
    many = {f"f{number}": 1.0 for number in range(3)}
    line = json.dumps({"features": many, "label": True}).encode()
    with pytest.raises(RecordError, match="has 3 features, more than the 2 allowed") as caught:
        Reader(Task(name="ads", kind="binary", feature_limit=2)).read_record(line)
    assert caught.value.code == "too_many_features"
    for more in ({"feature_limit": 3}, {"feature_limit": 2, "features": dict.fromkeys(many, Feature())}):
        assert Reader(Task(name="ads", kind="binary", **more)).read_record(line).features == many
    assert (Task(name="ads", kind="binary").feature_limit, Task(name="ads", kind="binary").name_limit) == (
        10_000,
        1_000_000,
    )

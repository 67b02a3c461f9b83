"""The life of a prediction, from logs in memory: what was asked, said and learned, and what came of it."""

import asyncio
import random

import msgspec
import pytest
from fakes.changelog import Changelog
from memory_log import MemoryLog

from headrace.agents.replay import Replay, ReplayError
from headrace.agents.replay.life import LifeFold, find_traces
from headrace.learning.fold.learner import Learner
from headrace.learning.task import Task, Unanswered, Update

TASK = Task(name="ads", kind="binary", wait="10s")


def life_of(log, name, task=TASK):
    return followed(log, name, task)[0]


def followed(log, name, task=TASK):
    """The life of an id, and the learner that has folded the log past its end."""

    async def follow():
        fold = LifeFold([trace async for trace in find_traces(log, 0, name)])
        task_told = msgspec.structs.replace(task, predictions=True)
        replay = await Replay(task_told, 0, log, Changelog(), observe=fold.observe).begin()
        return await fold.follow(replay), replay.learner

    return asyncio.run(follow())


def taught_log(count=60):
    log, dice = MemoryLog(), random.Random(2)
    for _ in range(count):
        x = dice.gauss(0, 1)
        log.put({"features": {"x": x}, "label": x > 0})
    return log


def fold_to(log, position, task=TASK):
    learner = Learner(task, 0)
    for message in log.messages:
        if message.offset < position:
            list(learner.fold(message))
    return learner


def test_a_question_is_explained_as_it_was_when_it_was_asked():
    log = taught_log()
    at = log.put({"id": "q", "features": {"x": 1.2}})
    log.put({"features": {"x": -5.0}, "label": True})
    log.put({"id": "q", "label": False})
    log.put({"features": {"x": 3.0}, "label": True})
    life = life_of(log, "q")
    expected = fold_to(log, at).champion.predict({"x": 1.2})
    scored = next(one for one in life.scored if one.arm == "champion")
    assert (scored.position, scored.updates) == (at, 60)
    assert scored.probabilities["true"] == expected.probabilities[True]
    assert (life.state, life.answer.how, life.answer.label, life.answer.position) == ("ended", "label", False, at + 2)
    assert life.answer.delay_s == pytest.approx(0.2)
    before, after = fold_to(log, at + 2), fold_to(log, at + 3)
    for look, learner in ((life.learned.before, before), (life.learned.after, after)):
        assert look.probabilities["true"] == learner.champion.predict({"x": 1.2}).probabilities[True]
    assert life.learned.after.probabilities["false"] > life.learned.before.probabilities["false"]


def test_a_row_is_explained_by_the_model_that_has_learned_the_rows_before_it():
    log = taught_log(10)
    rows = [{"features": {"x": 2.0}, "label": False}] * 5 + [{"id": "s", "features": {"x": 2.0}, "label": True}]
    at = log.put(*rows)
    life = life_of(log, "s")
    assert (life.kind, life.position, life.row, life.state) == ("sample", at, 5, "ended")
    assert life.scored[0].updates == 15
    assert (life.learned.label, life.learned.before.updates, life.learned.after.updates) == (True, 15, 16)


def test_a_question_whose_label_never_came_has_waited_or_was_answered_by_the_policy():
    assumed = msgspec.structs.replace(TASK, unanswered=Unanswered(assume=False))
    log = taught_log()
    log.put({"id": "q", "features": {"x": 1.0}})
    assert life_of(log, "q").state == "waiting"
    log.put({"features": {"x": 1.0}, "label": True}, clock=60_000)
    life = life_of(log, "q")
    assert (life.state, life.answer.how, life.answer.label, life.learned) == ("ended", "expired", None, None)
    life = life_of(log, "q", assumed)
    assert (life.answer.how, life.answer.label) == ("assumed", False)


def test_a_label_that_came_before_its_question_is_learned_with_it():
    log = taught_log()
    log.put({"id": "q", "label": True})
    at = log.put({"id": "q", "features": {"x": -1.0}})
    life = life_of(log, "q")
    assert (life.answer.how, life.answer.position, life.learned.label) == ("label", at, True)


def test_labels_that_are_collected_are_not_said_to_be_learned_yet():
    log = taught_log()
    log.put({"id": "q", "features": {"x": 1.0}}, {"id": "q", "label": True})
    life = life_of(log, "q", msgspec.structs.replace(TASK, update=Update(batch=1000)))
    assert (life.state, life.learned) == ("ended", None)


def test_a_record_that_was_refused_says_why():
    log = MemoryLog()
    log.put({"id": "q", "features": {"x": 1.0}, "label": "maybe"})
    life = life_of(log, "q")
    assert (life.state, life.refusals[0].code) == ("refused", "label")


def test_what_was_served_is_asked_again_of_the_state_that_answered():
    log = taught_log()
    served = {"arm": "champion", "prediction": True, "position": 40}
    log.put({"id": "q", "features": {"x": 0.3}, "served": served})
    life = life_of(log, "q")
    expected = fold_to(log, 40).champion.predict({"x": 0.3})
    assert (life.served.position, life.served.rebuilt.updates) == (40, 40)
    assert life.served.rebuilt.probabilities["true"] == expected.probabilities[True]
    assert life.scored[0].updates == 60


def test_a_question_with_features_that_no_model_takes_is_refused_and_not_asked():
    log = taught_log()
    log.put({"id": "q", "features": {"x": None}, "served": {"arm": "champion", "prediction": True, "position": 40}})
    log.put({"id": "r", "features": {"x": 1.0}, "served": {"prediction": True}})
    for name in "qr":
        life = life_of(log, name)
        assert (life.state, life.served, life.scored) == ("refused", None, [])
        assert life.refusals


def test_an_id_is_found_however_json_writes_it_and_no_other_is():
    log = MemoryLog()
    log.put(b'{"id": "\\u0061\\/\\u00e9", "features": {}, "label": true}')
    log.put({"id": "a/é2", "features": {"a/é": 1.0}, "label": True})
    assert life_of(log, "a/é").position == 0


def test_a_label_alone_has_no_life():
    log = MemoryLog()
    log.put({"id": "q", "label": True})
    with pytest.raises(ReplayError, match="no question"):
        life_of(log, "q")


def test_a_model_that_changes_when_it_is_asked_is_folded_as_if_nobody_had_asked():
    task, log = msgspec.structs.replace(TASK, model="users_models:Tiring"), taught_log()
    log.put({"id": "q", "features": {"x": 0.3}, "served": {"arm": "champion", "prediction": True, "position": 40}})
    log.put({"features": {"x": -5.0}, "label": True})
    at = log.put({"id": "q", "label": False})
    life, learner = followed(log, "q", task)
    assert learner.state.position == at + 1
    assert learner.champion.digest == fold_to(log, at + 1, task).champion.digest
    expected = fold_to(log, 40, task).champion.predict({"x": 0.3})
    assert life.served.rebuilt.probabilities["true"] == expected.probabilities[True]
    assert life.scored[0].probabilities["true"] == 1 / 62, "as the fold itself is told"

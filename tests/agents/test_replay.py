"""Replay: any past state is rebuilt from the log alone, whatever control records stand in it."""

import asyncio
import hashlib
import json
import random

import pytest
from fakes.changelog import Changelog
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_log import MemoryLog

from headrace.agents.jobs.making import Making
from headrace.agents.jobs.order import Order
from headrace.agents.replay import Replay, ReplayError
from headrace.learning.commands.define import Define, read_definition
from headrace.learning.effects import Acted
from headrace.learning.encoding import encode
from headrace.learning.fold.learner import Learner
from headrace.learning.promises import Promises
from headrace.learning.recipe import Recipe
from headrace.learning.records.message import Message
from headrace.learning.snapshot import digest
from headrace.learning.supplies import InMemory, Supplies
from headrace.learning.task import Task, Update, Versions, define, under
from headrace.tables.versions import entries, made_for, put_together

TASK = Task(name="ads", kind="binary", versions=Versions(every=20, keep=3))
OTHER = Task(name="ads", kind="binary", model="alma", versions=Versions(every=30, keep=2), wait="5s")
HOLDING = Task(name="ads", kind="binary", order="event_time", lateness="1s", update=Update(batch=5), wait="3s")


def make_log(seed, rows=120):
    """A random log of samples, questions and labels with control records of all kinds, and the models that its jobs have made."""
    dice, log, models = random.Random(seed), MemoryLog(), Changelog()
    log.put({"control": "define", "task": json.loads(define(TASK)), "first": True, "by": "headrace"})
    asked, jobs = [], []

    def act():
        command = dice.choice(
            ["checkpoint", "rollback", "best", "define", "cold", "promote", "install", "artefact", "give_up", "pause"]
        )
        if command in ("checkpoint", "promote"):
            log.put({"control": command})
        elif command in ("rollback", "best"):
            log.put({"control": "rollback", "to": "previous" if command == "rollback" else "best"})
        elif command in ("define", "cold"):
            wanted = dice.choice([TASK, OTHER, HOLDING])
            log.put({"control": "define", "task": json.loads(define(wanted)), "cold": command == "cold"})
        elif command in ("install", "give_up"):
            jobs.append(name := f"j{len(jobs)}")
            log.put({"control": "job", "job": name, "recipe": {"why": "retrain"}, "model": "logistic"})
            at = log.put({"control": "install", "id": name, "recipe": {"why": "retrain"}, "model": "logistic"})
            for _ in range(dice.randrange(4)):
                sample()
            made = make_model(dice) if command == "install" else None
            if made:
                for key, value in entries(*made, position=at, origin=made_for(name)):
                    models.put(key, value)
            log.put({"control": "outcome", "of": name, "position": at, "artefact": made and made[0], "updates": 7})
        elif command == "artefact":
            made, name = make_model(dice), f"i{len(log.messages)}"
            for key, value in entries(*made, position=0, origin=made_for(name)):
                models.put(key, value)
            install = {"artefact": made[0], "updates": 3, "model": "logistic", "pin": True}
            log.put({"control": "install", "id": name} | install)
        else:
            log.put({"control": "pause", "id": f"p{dice.random()}"})
            sample()
            log.put({"control": "resume"})

    def sample():
        log.put({"features": {"x": dice.gauss(0, 1), "c": dice.choice("ab")}, "label": dice.random() < 0.5})

    while len(log.messages) < rows:
        kind = dice.random()
        log.gaps = dice.random() < 0.1
        if kind < 0.1:
            act()
        elif kind < 0.4:
            asked.append(f"q{len(asked)}")
            log.put({"id": asked[-1], "features": {"x": dice.gauss(0, 1)}})
        elif kind < 0.6 and asked:
            log.put({"id": dice.choice(asked), "label": dice.random() < 0.5})
        else:
            sample()
    return log, models


def make_model(dice):
    learner = Learner(TASK, 0)
    for offset in range(5):
        sample = {"features": {"x": dice.gauss(0, 1)}, "label": dice.random() < 0.5}
        list(learner.fold(Message(offset, json.dumps(sample).encode())))
    data = encode(learner.champion.model)
    return hashlib.sha256(data).hexdigest(), data


def plain_fold(log, models, position, task=TASK):
    """The fold as anybody would write it who has all in memory: the whole log's promises, and all models of jobs."""
    promises, artefacts = Promises(task), InMemory()
    for message in log.messages:
        promises.note(message)
    packed = {entry.key: entry.value for entry in models.entries[0]}
    for message in log.messages:
        for name, made in promises.artefacts(message):
            artefacts.made[name, made] = put_together(packed.get, made, made_for(name))
    learner = Learner(task, 0, supplies=Supplies(artefacts, promises, ()))
    done = []
    for message in log.messages:
        if message.offset < position:
            done += [one for effects in learner.fold(message) for one in effects if isinstance(one, Acted)]
    learner.pass_over(position)
    return learner, done


def replay(log, models, task=TASK, **options):
    return asyncio.run(Replay(task, 0, log, models, **options).begin())


@given(st.integers(0, 10_000), st.data())
@settings(max_examples=60, deadline=None)
def test_a_replay_to_any_position_is_the_fold_there(seed, data):
    log, models = make_log(seed, 80)
    end = log.messages[-1].offset + 1
    position = data.draw(st.integers(0, end))
    # The settings have changed since: the log itself says by what it is folded.
    made = replay(log, models, task=OTHER)
    assert asyncio.run(made.to(position)) is None
    expected, _ = plain_fold(log, models, position)
    assert made.learner.state.position == position
    assert digest(made.learner.state) == digest(expected.state)


def test_a_replay_without_the_models_of_jobs_is_noticed(monkeypatch):
    async def read_nothing(*_):
        return {}

    monkeypatch.setattr("headrace.tables.versions.read_models", read_nothing)
    differing = 0
    for seed in range(10):
        log, models = make_log(seed)
        made = replay(log, models)
        asyncio.run(made.to(log.messages[-1].offset + 1))
        differing += digest(made.learner.state) != digest(plain_fold(log, models, log.messages[-1].offset + 1)[0].state)
    assert differing > 3


def test_the_logs_of_these_tests_have_control_records_that_do_something():
    done = []
    for seed in range(30):
        log, models = make_log(seed)
        done += plain_fold(log, models, 10**9)[1]
    for command, beginning in {
        "rollback": "rolled back",
        "install": "installed",
        "define": "changed",
        "promote": "promoted",
        "pause": "paused",
    }.items():
        assert any(one.command == command and one.did.startswith(beginning) for one in done), command


def test_a_replay_goes_on_from_where_it_stands():
    log, models = make_log(3)
    made = replay(log, models)
    for position in (10, 10, 40, 90):
        asyncio.run(made.to(position))
        assert digest(made.learner.state) == digest(plain_fold(log, models, position)[0].state)
    with pytest.raises(ReplayError, match="was folded already"):
        asyncio.run(made.to(89))


def test_a_position_beyond_the_end_is_refused():
    log, models = make_log(3)
    end = log.messages[-1].offset + 1
    with pytest.raises(ReplayError, match=f"up to {end}"):
        asyncio.run(replay(log, models).to(end + 1))


def test_it_stops_where_the_shard_waits_for_the_end_of_a_job():
    log, models = MemoryLog(), Changelog()
    log.put({"features": {"x": 1.0}, "label": True})
    log.put({"control": "job", "job": "j", "recipe": {"why": "retrain"}})
    at = log.put({"control": "install", "id": "j", "recipe": {"why": "retrain"}})
    end = log.put({"features": {"x": 1.0}, "label": True}) + 1
    made = replay(log, models)
    assert asyncio.run(made.to(end)).id == "j"
    assert made.learner.state.position == at


def test_the_model_of_a_real_job_is_found_in_the_changelog():
    log, models = MemoryLog(), Changelog()
    log.put({"control": "define", "task": json.loads(define(TASK)), "first": True})
    dice = random.Random(1)
    for _ in range(50):
        log.put({"features": {"x": dice.gauss(0, 1)}, "label": dice.random() < 0.5})
    recipe = Recipe(why="retrain", passes=2, repeat_to=51)
    log.put({"control": "job", "job": "j", "recipe": {"why": "retrain", "passes": 2}})
    order = Order("j", recipe, "logistic", define(TASK).decode())
    outcome = asyncio.run(Making(TASK, 0, order, log, models, modules=()).run())
    made = replay(log, models)
    asyncio.run(made.to(log.messages[-1].offset + 1))
    assert made.learner.champion.digest == outcome.artefact
    assert made.learner.champion.updates == outcome.updates


def test_models_that_no_version_names_any_more_are_forgotten():
    log, models = MemoryLog(), Changelog()
    for _ in range(400):
        log.put({"features": {"x": 1.0}, "label": True})
    made = replay(log, models)
    asyncio.run(made.to(400))
    assert made.learner.champion.updates == 400
    assert set(made.artefacts.saved) == {one.digest for one in made.learner.state.versions.saved.values()}
    assert len(made.artefacts.saved) <= TASK.versions.keep + 1


def test_the_progress_has_the_time_that_is_left():
    log, models = MemoryLog(), Changelog()
    for _ in range(20):
        log.put({"features": {"x": 1.0}, "label": True})
    told, ticks = [], iter(range(10**6))
    made = replay(log, models, tell=told.append, clock=lambda: float(next(ticks)))
    asyncio.run(made.to(20))
    assert (told[0].done, told[0].total) == (1, 20)
    assert told[9].seconds_left == pytest.approx(10, rel=0.2)
    assert told[-1].percent == 100


def test_the_definition_of_the_log_is_read_under_the_settings_names():
    log, _ = make_log(1)
    first = json.loads(log.messages[0].value)
    assert under(OTHER, read_definition(OTHER, Define(task=first["task"], first=True))).model == "logistic"

"""Jobs: the model that a job makes is the one of its recipe up to its promise, however often it is begun and whatever comes meanwhile."""

import asyncio
import json
import random

import msgspec
import pytest
from fakes.changelog import Changelog

from headrace.agents.jobs.making import Making
from headrace.agents.jobs.order import Order, Progress
from headrace.agents.jobs.runner import ShardJobs
from headrace.agents.lookahead import Waiting
from headrace.learning.errors import LogError, ModelError
from headrace.learning.fold.learner import Learner
from headrace.learning.fold.recipe_fold import RecipeFold
from headrace.learning.promises import Promises
from headrace.learning.recipe import Recipe, Without
from headrace.learning.records.message import Message
from headrace.learning.supplies import InMemory, Supplies
from headrace.learning.task import Task, Unanswered, Update, define, fingerprint
from headrace.tables.versions import entries, made_for

TASK = Task(name="ads", kind="binary")


class Log:
    """An event log of one partition that grows while it is read."""

    def __init__(self, rows=(), grows=0):
        self.messages, self.dice, self.grows = [], random.Random(4), grows
        for row in rows:
            self.put(row)

    def put(self, row):
        self.messages.append(Message(len(self.messages), json.dumps(row).encode(), len(self.messages)))

    def samples(self, count):
        for _ in range(count):
            x = self.dice.gauss(0, 1)
            self.put({"id": str(len(self.messages)), "features": {"x": x}, "label": x > 0})

    async def read(self, partition, start, end):
        for message in list(self.messages[start:end]):
            await asyncio.sleep(0)
            yield message
        self.samples(self.grows)
        self.grows //= 2

    async def ends(self, partitions):
        await asyncio.sleep(0)
        return {0: len(self.messages)}

    async def append(self, partition, value, timestamp):
        await asyncio.sleep(0)
        self.messages.append(Message(len(self.messages), value, timestamp))
        return len(self.messages) - 1


class Models(Changelog):
    """The topic of the models, as the keys that are there."""

    def written(self):
        return [entry.key for entry in self.entries[0]]


def order(recipe, **options):
    return Order(id="j1", recipe=recipe, model="logistic", definition=define(TASK).decode(), **options)


def make(log, recipe=None, **options):
    models = Models()
    making = Making(TASK, 0, order(recipe or Recipe(), **options), log, models, modules=())
    return asyncio.run(making.run()), models


def first():
    return {"control": "define", "task": json.loads(define(TASK)), "first": True}


def test_the_model_is_that_of_the_log_up_to_the_promise_though_the_log_grows():
    log = Log([first()], grows=2_000)
    log.samples(3_000)
    outcome, models = make(log)
    wanted = Learner(TASK, 0)
    for message in log.messages[: outcome.position]:
        for _ in wanted.fold(message):
            pass
    assert json.loads(log.messages[outcome.position].value)["control"] == "install"
    assert outcome.position > 4_000, "nothing came meanwhile"
    assert outcome.artefact == wanted.champion.digest
    assert outcome.updates == wanted.champion.updates
    assert outcome.definition == fingerprint(define(TASK))
    assert any(outcome.artefact.encode() in key for key in models.written())


def test_a_shard_goes_on_at_the_promise_as_if_it_had_always_been_so():
    poison = [str(number) for number in range(100, 140)]
    recipe = Recipe(why="unlearn", without=Without(ids=poison))
    log = Log([first(), {"control": "job", "job": "j1", "recipe": msgspec.to_builtins(recipe)}])
    log.samples(500)
    outcome, _ = make(log, recipe)
    log.samples(100)
    made = RecipeFold(TASK, 0, recipe)
    made.follow(lambda: log.messages[: outcome.position + 1])
    promises, artefacts = Promises(TASK), InMemory({("j1", outcome.artefact): model_bytes(made)})
    for message in log.messages:
        promises.note(message)
    shard, clean = Learner(TASK, 0, supplies=Supplies(artefacts, promises, ())), Learner(TASK, 0)
    for message in log.messages:
        for _ in shard.fold(message):
            pass
        if not (b'"control"' in message.value or json.loads(message.value)["id"] in poison):
            clean.pass_over(message.offset)
            for _ in clean.fold(message):
                pass
    assert shard.state.jobs == {}
    assert shard.champion.digest == clean.champion.digest
    assert shard.champion.updates == 560


def model_bytes(learner):
    from headrace.learning.encoding import encode

    return encode(learner.champion.model)


def test_a_job_that_is_begun_again_keeps_the_promise_of_the_one_before():
    log = Log([first()])
    log.samples(50)
    log.put({"control": "install", "id": "j1", "recipe": {}, "model": "logistic"})
    log.samples(2_000)
    for options in ({}, {"promised": 51}):
        outcome, _ = make(log, **options)
        assert (outcome.position, outcome.updates) == (51, 50)
    assert sum(b'"install"' in message.value for message in log.messages) == 1


def test_unlearning_goes_on_from_a_model_that_was_installed_from_elsewhere():
    history, models = Learner(TASK, 0), Models()
    for number in range(50):
        row = {"features": {"x": number % 7 - 3.0}, "label": number % 7 > 3}
        for _ in history.fold(Message(number, json.dumps(row).encode())):
            pass
    data = model_bytes(history)
    for key, value in entries(history.champion.digest, data, position=0, origin=made_for("w")):
        models.put(key, value)
    install = {"control": "install", "id": "w", "artefact": history.champion.digest, "updates": 50, "pin": True}
    log = Log([first(), install])
    log.samples(100)
    made = {}
    for why in ("unlearn", "retrain", "warm_start"):
        recipe = Recipe(why=why, without=Without(ids=["20"]) if why == "unlearn" else None)
        made[why] = asyncio.run(Making(TASK, 0, order(recipe), log, models, modules=()).run())
        log.messages = log.messages[:102]
    assert {why: outcome.updates for why, outcome in made.items()} == {
        "unlearn": 149,
        "retrain": 100,
        "warm_start": 100,
    }
    clean = Learner(TASK, 0, supplies=Supplies(InMemory({("w", history.champion.digest): data}), Promises(TASK), ()))
    for message in log.messages:
        if message.offset != 20:
            clean.pass_over(message.offset)
            for _ in clean.fold(message):
                pass
    assert made["unlearn"].artefact == clean.champion.digest


def test_two_jobs_that_both_promise_each_deliver_what_stands_at_theirs():
    async def both():
        log = Log([first(), {"control": "job", "job": "j1", "recipe": {}}])
        log.samples(1_500)
        makings = [Making(TASK, 0, order(Recipe()), log, Models(), modules=()) for _ in range(2)]
        outcomes = await asyncio.gather(*(making.run() for making in makings))
        promises = Promises(TASK)
        for message in log.messages:
            promises.note(message)
        made = [one for message in log.messages if (one := promises.made_in(message, ("j1",)))]
        (place, name), *_ = made
        assert promises.outcome(name, place) is not None, "the shard waits at the first one"
        assert min(one.position for one in outcomes) == place.offset

    asyncio.run(both())


def test_what_is_due_by_the_time_of_the_promise_is_learned_by_the_model_that_is_made():
    """A log that has the times at which its broker got the messages: the install itself moves log time."""
    task = Task(name="ads", kind="binary", wait="10s", unanswered=Unanswered(assume=False))
    log = Log([first() | {"task": json.loads(define(task))}])
    log.put({"control": "job", "job": "j1", "recipe": {"why": "migrate"}})
    for number in range(5):
        log.put({"id": f"q{number}", "features": {"x": float(number)}})

    async def append(partition, value, timestamp):
        log.messages.append(Message(len(log.messages), value, 60_000))
        return len(log.messages) - 1

    log.append, models = append, Models()
    migrate = Order(id="j1", recipe=Recipe(why="migrate"), model="logistic", definition=define(task).decode())
    outcome = asyncio.run(Making(task, 0, migrate, log, models, modules=()).run())
    assert outcome.updates == 5
    plain, promises = Learner(task, 0), Promises(task)
    tick = Message(outcome.position, b'{"control": "tick"}', 60_000)
    for message in [*log.messages[: outcome.position], tick]:
        for _ in plain.fold(message):
            pass
    assert outcome.artefact == plain.champion.digest
    made = {("j1", outcome.artefact): model_bytes(plain)}
    for message in log.messages:
        promises.note(message)
    shard = Learner(task, 0, supplies=Supplies(InMemory(made), promises, ()))
    for message in log.messages:
        for _ in shard.fold(message):
            pass
    assert (shard.champion.updates, shard.champion.digest) == (5, plain.champion.digest)


@pytest.mark.parametrize("why", ["retrain", "migrate"])
def test_what_is_held_back_at_the_install_is_in_both_models(why):
    """Else it would be in none: the shard lets it go by the old model, and the job has not come to its time yet."""
    task = Task(name="ads", kind="binary", order="event_time", lateness="10s", update=Update(batch=7))
    log = Log([first() | {"task": json.loads(define(task))}, {"control": "job", "job": "j1", "recipe": {"why": why}}])
    for number in range(20):
        log.put({"features": {"x": number - 10.0}, "label": number > 10, "time": float(number % 5)})
    order = Order(id="j1", recipe=Recipe(why=why), model="logistic", definition=define(task).decode())
    outcome = asyncio.run(Making(task, 0, order, log, Models(), modules=()).run())
    assert outcome.updates == 20
    promises, made = Promises(task), InMemory()
    for message in log.messages:
        promises.note(message)
    recipe = RecipeFold(task, 0, Recipe(why=why))
    recipe.follow(lambda: log.messages[: outcome.position + 1])
    made.made["j1", outcome.artefact] = model_bytes(recipe)
    shard = Learner(task, 0, supplies=Supplies(made, promises, ()))
    for message in log.messages:
        for _ in shard.fold(message):
            pass
    assert shard.state.controls["j1"].startswith("installed")
    assert (shard.champion.updates, shard.state.updates, shard.state.order.held) == (20, 20, [])


def test_a_job_can_make_another_model_than_the_one_that_learns_by_means():
    task = Task(name="ads", kind="binary", model="online_linear", update=Update(batch=4, gradient="mean"))
    log = Log([first() | {"task": json.loads(define(task))}])
    log.samples(40)
    order = Order(id="j1", recipe=Recipe(why="migrate"), model="logistic", definition=define(task).decode())
    assert asyncio.run(Making(task, 0, order, log, Models(), modules=()).run()).updates == 40


def test_unlearning_knows_which_installs_the_shard_has_refused():
    models, data = Models(), model_bytes(Learner(TASK, 0))
    digest = Learner(TASK, 0).champion.digest
    for key, value in entries(digest, data, position=0, origin=made_for("j")):
        models.put(key, value)
    log = Log([first()])
    log.samples(5)
    log.put({"control": "job", "job": "j", "recipe": {}})
    log.put({"control": "install", "id": "j", "artefact": digest, "updates": 0})
    log.samples(1)
    migrate = Order(id="j1", recipe=Recipe(why="migrate"), model="logistic", definition=define(TASK).decode())
    assert asyncio.run(Making(TASK, 0, migrate, log, models, modules=()).run()).updates == 6


def test_a_job_calls_no_function_that_only_the_log_names(tmp_path):
    touched = tmp_path / "touched"
    for model in ({"use": "os:system", "command": f"touch {touched}"}, "subprocess:Popen"):
        evil = Order(id="j1", recipe=Recipe(), model=model, definition=define(TASK).decode())
        with pytest.raises(ModelError, match=r"worker\.modules"):
            Making(TASK, 0, evil, Log([first()]), Models(), modules=("shop.models",))
    assert not touched.exists()


def test_more_passes_go_over_the_same_records_again():
    log = Log([first()])
    log.samples(300)
    outcome, _ = make(log, Recipe(passes=3, repeat_to=301))
    assert outcome.updates == 900
    recipe = json.loads(log.messages[outcome.position].value)["recipe"]
    assert (recipe["passes"], recipe["repeat_to"]) == (3, 301)
    again = RecipeFold(TASK, 0, Recipe(passes=3, repeat_to=301))
    again.follow(lambda: log.messages[: outcome.position + 1])
    assert again.champion.digest == outcome.artefact


def test_a_warm_start_goes_over_its_range_and_then_on_to_the_end_of_the_log():
    log = Log([first()])
    log.samples(300)
    recipe = Recipe(why="warm_start", start=50, repeat_to=120, passes=4)
    outcome, _ = make(log, recipe)
    assert outcome.updates == 4 * 70 + 181
    wanted = Learner(TASK, 0)
    rows = [*log.messages[50:120] * 3, *log.messages[50 : outcome.position]]
    for at, message in enumerate(rows):
        sample = json.loads(message.value) | {"id": str(at)}
        for _ in wanted.fold(Message(at, json.dumps(sample).encode(), at)):
            pass
    assert outcome.artefact == wanted.champion.digest
    again = RecipeFold(TASK, 0, recipe)
    again.follow(lambda: log.messages[50 : outcome.position + 1])
    assert again.champion.digest == outcome.artefact, "it can be made again from the log"


@pytest.mark.parametrize(("start", "repeat_to"), [(20, 20), (20, 5), (5, 10_000)])
def test_a_range_without_a_record_or_beyond_the_log_is_refused(start, repeat_to):
    owner = Owner()
    owner.ask("j1", recipe={"why": "warm_start", "start": start, "repeat_to": repeat_to})
    assert owner.learner.state.jobs == {}


def test_the_progress_is_told():
    log, told, now = Log([first()]), [], iter(range(10**6))
    log.samples(2_000)
    making = Making(
        TASK, 0, order(Recipe()), log, Models(), modules=(), tell=told.append, clock=lambda: next(now) / 1000
    )
    asyncio.run(making.run())
    assert [one.percent for one in told] == sorted(one.percent for one in told)
    assert told[-1].percent == 100.0
    assert all(one.per_second > 0 for one in told)


def test_several_rows_in_a_message_are_as_many_rows_a_second_and_one_message():
    log, told, now = Log([first()]), [], iter(range(10**6))
    row = json.dumps({"features": {"x": 1.0}, "label": True}).encode()
    for _ in range(3_000):
        log.messages.append(Message(len(log.messages), b"\n".join([row] * 4), 0))
    making = Making(
        TASK, 0, order(Recipe()), log, Models(), modules=(), tell=told.append, clock=lambda: next(now) / 1000
    )
    outcome = asyncio.run(making.run())
    assert outcome.updates == 12_000
    assert told[-1].done == told[-1].total == outcome.position + 1
    assert told[0].percent < 50
    assert 3.5 < told[-1].rows_per_second / told[-1].per_second < 4


def test_more_questions_left_out_than_an_outcome_can_name_is_an_error(monkeypatch):
    monkeypatch.setattr("headrace.agents.jobs.making.FORGET_MAX", 20)
    log = Log([first()])
    for number in range(5):
        log.put({"id": f"q{number}", "features": {"x": 1.0}})
    with pytest.raises(LogError, match="5 questions"):
        make(log, Recipe(why="unlearn", without=Without(ids=[f"q{number}" for number in range(5)])))


class Process:
    def __init__(self, order):
        self.order, self.progress, self.error = order, Progress(), ""
        self.has_ended = self.has_delivered = self.killed = False

    def kill(self):
        self.killed = self.has_ended = True

    def die(self, error):
        self.error, self.has_ended = error, True


class Owner:
    """A shard that asks for jobs, and what its runner does."""

    def __init__(self):
        self.log, self.processes, self.now = Log([first()]), [], 0.0
        self.jobs = ShardJobs(self.log, 0, self.launch, lambda: self.now)
        self.learner = Learner(TASK, 0)
        self.fold()

    def launch(self, partition, order):
        self.processes.append(Process(order))
        return self.processes[-1]

    def ask(self, job, **options):
        self.log.put({"control": "job", "job": job, "recipe": {}} | options)
        self.fold()

    def fold(self):
        for message in self.log.messages[self.learner.state.position :]:
            for _ in self.learner.fold(message):
                pass

    def tend(self, seconds=0.0, waiting=None, waits_for=0.0):
        self.now += seconds
        asyncio.run(self.jobs.tend(self.learner, waiting, waits_for))

    def appended(self):
        return [json.loads(message.value) for message in self.log.messages[self.learner.state.position :]]


def test_jobs_run_one_after_the_other_and_those_that_are_done_are_forgotten():
    owner = Owner()
    owner.ask("j1")
    owner.ask("j2", model="alma")
    owner.tend()
    owner.tend()
    (process,) = owner.processes
    assert (process.order.id, process.order.model, process.order.promised) == ("j1", "logistic", None)
    assert [job.state for job in owner.jobs.describe(owner.learner.state)] == ["running", "waiting"]
    process.has_ended = process.has_delivered = True
    owner.log.put({"control": "cancel", "job": "j1"})
    owner.fold()
    owner.tend()
    assert [one.order.id for one in owner.processes] == ["j1", "j2"]
    assert owner.processes[1].order.model == "alma"


def test_a_job_that_dies_is_begun_again_and_given_up_at_last():
    owner = Owner()
    owner.ask("j1")
    for attempt in range(3):
        owner.tend(seconds=10)
        assert len(owner.processes) == attempt + 1
        owner.processes[-1].die("no memory")
        owner.tend()
    assert len(owner.processes) == 3
    (cancel,) = owner.appended()
    assert (cancel["control"], cancel["job"]) == ("cancel", "j1")
    assert "3 times" in cancel["why"]
    assert "no memory" in cancel["why"]
    owner.tend()
    assert len(owner.appended()) == 1
    owner.fold()
    assert owner.learner.state.jobs == {}
    assert owner.learner.state.controls["j1"].startswith("gave up j1: it failed 3 times")


def test_the_end_of_a_job_is_written_once_while_the_shard_is_paused():
    owner = Owner()
    owner.ask("j1")
    for _ in range(3):
        owner.tend(seconds=10)
        owner.processes[-1].die("no memory")
        owner.tend()
    for _ in range(20):
        owner.tend(seconds=60)
    assert len(owner.appended()) == 1


def test_a_job_that_died_waits_before_it_is_begun_again():
    owner = Owner()
    owner.ask("j1")
    owner.tend()
    owner.processes[0].die("killed")
    owner.tend()
    owner.tend(seconds=0.5)
    assert len(owner.processes) == 1
    assert owner.jobs.describe(owner.learner.state)[0].error == "killed"
    owner.tend(seconds=0.6)
    assert len(owner.processes) == 2


def test_a_job_that_is_cancelled_is_killed():
    owner = Owner()
    owner.ask("j1")
    owner.tend()
    owner.log.put({"control": "cancel", "job": "j1"})
    owner.fold()
    owner.tend()
    assert owner.processes[0].killed
    assert owner.jobs.describe(owner.learner.state) == []


def test_the_job_for_which_the_shard_waits_comes_first_and_is_told_where():
    owner = Owner()
    owner.ask("j1")
    owner.ask("j2")
    owner.tend(waiting=Waiting("outcome", "j2"))
    assert (owner.processes[0].order.id, owner.processes[0].order.promised) == ("j2", 3)


def test_a_job_makes_way_for_the_one_that_the_shard_waits_for():
    owner = Owner()
    owner.ask("j1")
    owner.ask("j2")
    owner.tend()
    owner.tend(waiting=Waiting("outcome", "j2"))
    assert owner.processes[0].killed
    assert [one.order.id for one in owner.processes] == ["j1", "j2"]
    owner.processes[1].has_ended = owner.processes[1].has_delivered = True
    owner.log.put({"control": "cancel", "job": "j2"})
    owner.fold()
    owner.tend()
    assert [one.order.id for one in owner.processes] == ["j1", "j2", "j1"]
    assert owner.jobs.describe(owner.learner.state)[0].attempts == 1, "nothing has failed"


def test_a_shard_does_not_wait_for_ever():
    owner = Owner()
    owner.ask("j1", limit_s=20)
    owner.tend(waiting=Waiting("outcome", "j1"), waits_for=19.0)
    assert owner.appended() == []
    owner.tend(waiting=Waiting("outcome", "j1"), waits_for=21.0)
    assert owner.appended()[0]["why"] == "no outcome within 20 s"
    assert owner.processes[0].killed


def test_all_processes_end_with_the_shard():
    owner = Owner()
    owner.ask("j1")
    owner.tend()
    owner.jobs.stop()
    assert owner.processes[0].killed
    assert list(owner.learner.state.jobs) == ["j1"], "the next owner begins it"

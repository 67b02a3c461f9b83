"""`/readyz`: a worker that starts, shards that cannot be opened or are stopped, and the readiness of one task."""

import asyncio
import json
import uuid
from types import SimpleNamespace

import harness
import pytest
from aiohttp.test_utils import make_mocked_request

from headrace.agents.ingest import Ingest
from headrace.agents.intake import Intake
from headrace.agents.pace import Pace
from headrace.agents.shards import Shards
from headrace.agents.source_context import SourceContext
from headrace.app.errors import Problem
from headrace.app.serving.refused import RequestRefused
from headrace.app.serving.serving import Serving
from headrace.app.views.health import Ready
from headrace.learning.errors import LogError, TopicError
from headrace.learning.task import Task
from headrace.learning.task.source import Source

LEARNER = SimpleNamespace(state=SimpleNamespace(position=1))


def shard(status, error=None, learner=LEARNER, **more):
    return SimpleNamespace(status=status, error=error, learner=learner, position=1, **more)


class Worker:
    """A worker with a task `ads` of two shards and a task `shop` of one, all live."""

    def __init__(self):
        ads = Task(
            name="ads",
            kind="binary",
            sources=[Source(topic=topic, label="y", features={"x": "x"}) for topic in ("clicks", "views")],
        )
        collaborators = SimpleNamespace(
            snapshots=SimpleNamespace(table=None), budget=SimpleNamespace(clock=lambda: 0.0), pace=Pace()
        )
        self.ads, self.shop = (
            Shards(Task(name=name, kind="binary", partitions=count), collaborators)
            for name, count in (("ads", 2), ("shop", 1))
        )
        self.store = SimpleNamespace(is_current=True)
        self.ingest = Ingest(SourceContext(ads, "nowhere:1", tell_group=None))
        self.app = SimpleNamespace(has_joined=True, ingesting={"ads": self.ingest})
        for shards in (self.ads, self.shop):
            shards.owned |= {partition: shard("live") for partition in range(shards.task.partitions)}
        tasks = {
            shards.task.name: SimpleNamespace(task=shards.task, shards=shards, enricher=enricher)
            for shards, enricher in ((self.ads, None), (self.shop, SimpleNamespace(store=self.store)))
        }
        self.serving = SimpleNamespace(tasks=tasks)
        self.serving.task = lambda name: Serving.task(self.serving, name)

    def ask(self, task=None):
        """Ask `/readyz`, and return the status with the document, or with code and detail."""
        request = make_mocked_request("GET", "/readyz" if task is None else f"/readyz?task={task}")
        view = SimpleNamespace(
            wiring=SimpleNamespace(app=self.app, siblings=None), serving=self.serving, answer=Ready.answer
        )
        try:
            answer = asyncio.run(Ready.get(view, request))
        except RequestRefused as refused:
            problem = Problem.of(refused)
            return problem.status, problem.code, problem.detail
        except Problem as problem:
            return problem.status, problem.code, problem.detail
        document = json.loads(answer.body)
        assert document.pop("status") == "ready"
        return 200, document


@pytest.fixture
def worker():
    return Worker()


def test_all_is_well(worker):
    assert [worker.ask(task) for task in (None, "ads", "shop")] == [(200, {})] * 3


def test_an_unknown_task_is_not_ready_but_unknown(worker):
    for task in ("nope", ""):
        assert worker.ask(task)[:2] == (404, "unknown_task")


def test_a_worker_outside_its_group_is_not_ready(worker):
    worker.app.has_joined = False
    assert worker.ask()[:2] == worker.ask("ads")[:2] == (503, "joining")


def test_a_shard_that_has_no_model_yet_is_waited_for_whoever_owns_it(worker):
    worker.ads.owned[1] = shard("opening", learner=None)
    assert worker.ask() == (503, "opening", "shard 1 of task 'ads' is being opened.")
    del worker.ads.owned[1]
    assert worker.ask("ads") == (503, "opening", "shard 1 of task 'ads' is being opened.")
    assert worker.ask("shop") == (200, {})
    worker.ads.replicas.held[1] = shard("replica")
    assert worker.ask() == (200, {})


def test_a_shard_that_is_being_opened_while_a_replica_answers_is_ready(worker):
    worker.ads.owned[1], worker.ads.replicas.held[1] = shard("opening", learner=None), shard("replica")
    assert worker.ask() == worker.ask("ads") == (200, {})


def test_a_shard_that_cannot_be_opened_is_not_ready_though_a_replica_answers(worker):
    worker.ads.owned[1] = shard("opening", "the database is damaged.", learner=None)
    worker.ads.replicas.held[1] = shard("replica")
    for task in (None, "ads"):
        assert worker.ask(task) == (503, "opening", "shard 1 of task 'ads' cannot be opened yet.")
    assert worker.ask("shop") == (200, {})


def test_stored_features_are_waited_for(worker):
    worker.store.is_current = False
    assert worker.ask() == (503, "opening", "stored features of task 'shop' are being read.")
    assert worker.ask("shop")[:2] == (503, "opening")
    assert worker.ask("ads") == (200, {})


def test_a_stopped_shard_is_named_and_takes_no_worker_out_of_the_service(worker):
    worker.ads.owned[1] = shard("stopped", "the log is another one.", code="log")
    assert worker.ask() == (200, {"stopped": [{"task": "ads", "partition": 1, "code": "log"}]})
    worker.ads.owned[0] = shard("stopped", "RuntimeError('no')", code="fold", learner=None)
    stopped = [{"task": "ads", "partition": 0, "code": "fold"}, {"task": "ads", "partition": 1, "code": "log"}]
    assert worker.ask() == (200, {"stopped": stopped})
    assert worker.ask("ads") == (503, "stopped", "a shard is stopped: shard 0 of task 'ads', fold.")
    assert worker.ask("shop") == (200, {})


def test_a_worker_all_of_whose_shards_are_stopped_is_not_ready(worker):
    worker.ads.owned |= {partition: shard("stopped", "no", code="log") for partition in (0, 1)}
    worker.shop.owned[0] = shard("stopped", "no", code="snapshot")
    assert worker.ask() == (503, "stopped", "every shard is stopped: shard 0 of task 'ads', log.")


def test_a_replica_whose_snapshot_was_refused_is_as_one_that_is_stopped(worker):
    del worker.ads.owned[1]
    worker.ads.replicas.held[1] = shard("replica", "the snapshot is not signed", learner=None)
    assert worker.ask() == (200, {"stopped": [{"task": "ads", "partition": 1, "code": "snapshot"}]})
    assert worker.ask("ads")[:2] == (503, "stopped")


def test_a_task_that_is_stopped_as_a_whole_waits_for_nothing(worker):
    worker.shop.trouble = TopicError("the topic shop.events is gone.", "Restore it.")
    worker.shop.owned.clear()
    worker.store.is_current = False
    assert worker.ask() == (200, {"stopped": [{"task": "shop", "partition": 0, "code": "topic"}]})
    assert worker.ask("shop")[:2] == (503, "stopped")
    assert worker.ask("ads") == (200, {})


def test_a_stopped_source_is_named_takes_no_worker_out_of_the_service_and_is_not_ready_for_its_task(worker):
    intakes = [Intake(worker.ingest.context, "clicks", partition) for partition in range(3)]
    intakes[0].status, intakes[1].status = "live", "opening"
    worker.ingest.intakes |= {("clicks", partition): intake for partition, intake in enumerate(intakes)}
    assert worker.ask() == worker.ask("ads") == (200, {}), "one that is being opened is no trouble"
    intakes[1].error = "the broker is away"
    assert worker.ask() == (200, {})
    assert worker.ask("ads") == (503, "opening", "a source cannot be opened yet: clicks/1 of task 'ads'.")
    intakes[1].stop(LogError("another topic", "Name it anew."))
    assert worker.ask() == (200, {"sources": [{"task": "ads", "topic": "clicks", "partition": 1}]})
    assert worker.ask("ads") == (503, "stopped", "a source is stopped: clicks/1 of task 'ads'.")
    assert worker.ask("shop") == (200, {})


def test_a_source_that_is_gone_as_a_whole_is_named(worker):
    worker.ingest.stop_source("views", TopicError("the source topic views was deleted.", "Name another."))
    assert worker.ask() == (200, {"sources": [{"task": "ads", "topic": "views", "partition": "*"}]})
    assert worker.ask("ads")[:2] == (503, "stopped")


SECRET = "/home/mill/data kafka-7.inside:9092 password"


def test_no_error_text_is_told_to_those_who_show_no_key(worker):
    ways = [
        lambda: worker.ads.owned.update({1: shard("opening", SECRET, learner=None)}),
        lambda: worker.ads.owned.update({1: shard("stopped", SECRET, code="log")}),
        lambda: worker.ads.owned.update({0: shard("stopped", SECRET, code="fold")}),
        lambda: worker.shop.owned.update({0: shard("stopped", SECRET, code="fold")}),
        lambda: setattr(worker.shop, "trouble", TopicError(SECRET, SECRET)),
        lambda: worker.ingest.stop_source("views", TopicError(SECRET, SECRET)),
    ]
    for way in ways:
        way()
        for task in (None, "ads", "shop"):
            assert not any(word in str(worker.ask(task)) for word in SECRET.split())


MODEL = """
from river import linear_model


class Broken(linear_model.LogisticRegression):
    def learn_one(self, x, y):
        if "poison" in x:
            raise RuntimeError("a defect of the model")
        super().learn_one(x, y)


def make():
    return Broken()
"""


def test_through_kafka_one_stopped_task_is_named_and_the_other_answers_on(broker, tmp_path):
    run = uuid.uuid4().hex[:8]
    broken, sound = f"broken-{run}", f"sound-{run}"
    (tmp_path / f"broken_{run}.py").write_text(MODEL)
    toml = f'[tasks.{broken}]\nkind = "binary"\nmodel = "broken_{run}:make"\n[tasks.{sound}]\nkind = "binary"\n'
    worker = harness.Worker(tmp_path, broker, toml).start()
    try:
        worker.wait_ready()
        assert worker.get("/readyz") == worker.get(f"/readyz?task={broken}") == {"status": "ready"}
        row = b'{"features": {"poison": 1.0}, "label": true}'
        asyncio.run(harness.append(broker, f"{broken}.events", [(0, row)]))
        harness.wait_for(lambda: worker.get(f"/readyz?task={broken}") is None, 30, "stopped")
        (stopped,) = worker.get("/readyz")["stopped"]
        assert (stopped["task"], stopped["partition"]) == (broken, 0)
        assert worker.get(f"/readyz?task={sound}") == {"status": "ready"}
        assert worker.post(f"/v1/{sound}/predict", {"features": {"x": 1.0}})[0] == 200
    finally:
        worker.stop("SIGKILL")

"""Every query of the dashboard and every rule, on a real Prometheus that scrapes a worker to which all of it happens."""

import asyncio
import json
import random
import uuid

import harness
import pytest
import yaml
from prometheus_server import FOLDER, needs_prometheus, scraping
from scrape import Scrape

from headrace.tables.kafka.producer import producing
from headrace.tables.kafka.topics import Topic, prepare

pytestmark = needs_prometheus

DASHBOARD = json.loads((harness.ROOT / "deploy" / "grafana" / "headrace.json").read_text())
RULES = [rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"] for rule in group["rules"]]
QUERIES = {
    f"{panel['title']}: {target['legendFormat']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", [])
}

ZERO = {
    "Waiting: {{task}} labels": "a label that comes before its question is rare",
    "Waiting: {{task}} held for {{buffer}}": "no task here orders its records or learns them in batches",
    "Labels of questions: {{task}} expired": "a question waits at least a minute",
    "Failed snapshots: {{task}} {{instance}}": "the broker takes them all",
    "Overflows: {{task}} {{buffer}}": "10,000 records would have to wait",
    "Background tasks: {{instance}} {{background}}": "none fails",
}
"""The queries whose values are all 0 on this worker, and why."""

AT_TIMES = {
    "Gaps: {{task}} {{log}}": "a message is read again if it comes while its shard is opened",
    "Lag of sources: {{task}} {{topic}}": "rows may be mapped before a scrape sees them",
}
"""The queries that have values, which are 0 or not, and why."""

SILENT = {
    "HeadraceBufferOverflow": "10,000 records would have to wait",
    "HeadraceBufferFull": "the worker keeps up",
    "HeadraceLabelSilence": "it looks back an hour",
    "HeadraceLagGrowing": "it asks for a lag of 1,000 messages that has lasted for ten minutes",
    "HeadraceStale": "the worker owns all shards and follows their logs",
    "HeadraceSnapshotsFailed": "the broker takes them all",
}
"""The alerts whose expression is empty here, and why. `rules_test.yml` makes each of them fire."""

SETTINGS = """
[notify]
command = ["true"]

[tasks.ROLLS]
kind = "binary"
model = { use = "logistic", learning_rate = 0.1 }
versions = { every = 500 }
guard = { against = ["last_good"], every = 1, mode = "auto", label_rate = false }
detectors = [{ use = "evidence", between = 1000 }]
reactions = [{ do = "alert" }]
[[tasks.ROLLS.sources]]
topic = "TOPIC"
label = "y"
features = "x"

[tasks.DRIFTS]
kind = "binary"
model = { use = "logistic", learning_rate = 0.1 }
guard = { against = [], label_rate = false }
detectors = [{ use = "evidence", between = 1000 }]
reactions = [{ do = "alert" }]

[tasks.LOSES]
kind = "binary"
guard = { against = ["baselines"], every = 1, label_rate = false }

[tasks.PAUSES]
kind = "binary"
guard = { against = [], every = 1, mode = "auto", label_rate = { short = 20, bound = 0.4 } }

[tasks.STOPS]
kind = "binary"
model = "frail:Frail"

[tasks.AMOUNTS]
kind = "regression"
arms.other = { model = "hoeffding_regressor" }

[tasks.SENT]
kind = "binary"
partitions = 2
"""
FRAIL = """
from river import dummy

class Frail(dummy.NoChangeClassifier):
    def learn_one(self, x, y):
        if x["x"] == 1e6:
            raise ValueError("no")
        super().learn_one(x, y)
"""
"""A model that cannot go on behind a sample."""

TASKS = ("ROLLS", "DRIFTS", "LOSES", "PAUSES", "STOPS", "AMOUNTS", "SENT")


class Happening:
    """A worker, and what a test makes happen to it.

    Parameters
    ----------
    worker, broker
        The worker, and the address of its broker.
    names
        The names of its tasks and its source, by their names in `SETTINGS`.
    """

    def __init__(self, worker, broker, names):
        self.worker, self.broker, self.names = worker, broker, names
        self.dice = random.Random(7)

    def learn(self, task, labels):
        """Append samples with these labels, whose features tell nothing of them; the end of the log then."""
        return self.send(task, [(self.dice.gauss(0, 1), label) for label in labels])

    def send(self, task, samples):
        """Append samples of a feature and a label; the end of the log then."""
        rows = [{"features": {"x": x, "bias": 1.0}, "label": label, "key": "k"} for x, label in samples]
        for start in range(0, len(rows), 1_000):
            status, appended = self.worker.post(f"/v1/{self.names[task]}/samples", rows[start : start + 1_000])
            assert status == 202, appended
        return appended["positions"][-1]["offset"] + 1

    def wait_folded(self, task, position):
        """Wait until the log is folded that far."""
        asked = {"task": self.names[task], "partition": "0"}
        harness.wait_for(
            lambda: Scrape(self.worker).of("headrace_position_offset", **asked) == [position],
            60,
            lambda: f"{task} at {position}: {self.worker.get(f'/v1/{self.names[task]}')}",
        )

    def ask(self, task, **more):
        """Ask a question."""
        body = {"features": {"x": 1.0, "bias": 1.0}, "key": "k"} | more
        return self.worker.post(f"/v1/{self.names[task]}/predict", body)

    def drift(self):
        """Learn, and then the contrary: detectors signal, and a guard goes back to the last good version; where there is none, errors are more."""
        for task, parts in (
            ("ROLLS", ((2_000, False), (400, True), (500, False))),
            ("DRIFTS", ((2_000, False), (400, True))),
        ):
            for count, flipped in parts:
                xs = [self.dice.gauss(0, 1) for _ in range(count)]
                end = self.send(task, [(x, (x > 0) != flipped) for x in xs])
            self.wait_folded(task, end)

    def question(self):
        """Ask questions that are logged; some get their labels, one is refused, and one waits on."""
        for number in range(20):
            assert self.ask("AMOUNTS", id=f"q{number}", log=True)[0] == 200
        assert self.ask("AMOUNTS", id="a1", log="async")[0] == 200
        assert self.ask("AMOUNTS", min_position=10**9, wait_s=0)[0] == 409
        self.prometheus.wait_scraped(2)  # the series of a code begins with its first question
        assert self.ask("AMOUNTS", min_position=10**9, wait_s=0)[0] == 409
        labels = [{"id": f"q{number}", "label": 2.0, "key": "k"} for number in range(15)]
        assert self.worker.post(f"/v1/{self.names['AMOUNTS']}/labels", labels)[0] == 202

    def be_late(self):
        """Append while the shard is paused: the messages are folded late."""
        name = self.names["AMOUNTS"]
        assert self.worker.post(f"/v1/{name}/control", {"control": "pause", "id": "p1"})[0] == 200
        end = self.learn("AMOUNTS", [2.0] * 200)
        self.prometheus.wait_scraped(3)
        assert self.worker.post(f"/v1/{name}/control", {"control": "resume", "id": "r1"})[0] == 200
        self.wait_folded("AMOUNTS", end + 1)

    def refuse(self):
        """Append records and rows of a source of which some are refused."""
        rows = [json.dumps({"x": {"x": 1.0}, "y": True}).encode(), b"[]"] * 100
        asyncio.run(harness.append(self.broker, f"{self.names['LOSES']}.events", [(0, b"no JSON")] * 50))
        asyncio.run(harness.append(self.broker, self.names["TOPIC"], [(0, row) for row in rows]))

    def send_otherwise(self):
        """Send keys to a shard where they do not belong, and rename a feature meanwhile."""

        async def sent(name):
            row = json.dumps({"features": {name: 1.0}, "label": True}).encode()
            async with producing(self.broker) as producer:
                for number in range(150):
                    key = f"k{number % 20}".encode()
                    await producer.send(f"{self.names['SENT']}.events", row, key=key, partition=0)

        for name in ("seconds", "seconds", "seconds", "seconds", "secs"):
            asyncio.run(sent(name))
        asked = {"task": self.names["SENT"], "partition": "0"}
        harness.wait_for(lambda: Scrape(self.worker).of("headrace_updates_total", **asked) == [750], 60, "all learned")

    def promote(self):
        """Put a challenger in the champion's place."""
        record = {"control": "promote", "arm": "other", "id": "c1"}
        status, done = self.worker.post(f"/v1/{self.names['AMOUNTS']}/control", record)
        assert (status, done["shards"][0]["did"].startswith("promoted other")) == (200, True), done

    def stop_one(self):
        """Send the sample behind which a model cannot go on: its shard stops."""
        self.send("STOPS", [(1e6, True)])
        stopped = {"task": self.names["STOPS"], "state": "stopped"}
        harness.wait_for(lambda: Scrape(self.worker).one("headrace_shards", **stopped) == 1, 60, "it is stopped")

    def make_all_happen(self):
        """Make it happen, each after Prometheus has seen the worker before."""
        self.drift()
        self.learn("LOSES", [number // 40 % 2 == 0 for number in range(2_000)])
        self.learn("PAUSES", [self.dice.random() < 0.5 for _ in range(600)])
        self.prometheus.wait_scraped(3)
        self.learn("PAUSES", [True] * 100)
        self.learn("AMOUNTS", [self.dice.gauss(2, 1) for _ in range(300)])
        self.question()
        self.refuse()
        self.send_otherwise()
        self.be_late()
        self.promote()
        for _ in range(50):
            assert self.ask("ROLLS")[0] == 200
        self.stop_one()
        self.prometheus.wait_scraped(6)


@pytest.fixture(scope="module")
def prometheus(broker, tmp_path_factory):
    run, folder = uuid.uuid4().hex[:8], tmp_path_factory.mktemp("dashboard")
    names = {name: f"{name.lower()}-{run}" for name in (*TASKS, "TOPIC")}
    settings = SETTINGS
    for name, given in names.items():
        settings = settings.replace(name, given)
    asyncio.run(prepare(broker, [Topic(names["TOPIC"], 1, {})]))
    worker = harness.Worker(folder / "worker", broker, settings)
    (worker.folder / "frail.py").write_text(FRAIL)
    worker.start()
    try:
        worker.wait_ready()
        with scraping(worker, folder / "prometheus") as server:
            happening = Happening(worker, broker, names)
            happening.prometheus = server
            happening.make_all_happen()
            yield server
    finally:
        worker.stop("SIGKILL")


def filled(expr):
    """A query with Grafana's variables filled in."""
    for variable, value in (("$__rate_interval", "5s"), ("$task", ".*"), ("$partition", ".*")):
        expr = expr.replace(variable, value)
    assert "$" not in expr
    return expr


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_of_the_dashboard_has_values(prometheus, name):
    values = prometheus.values(filled(QUERIES[name]))
    assert values
    if name not in AT_TIMES:
        assert any(value > 0 for value in values) == (name not in ZERO), values[-20:]


@pytest.mark.parametrize("variable", ["task", "partition"])
def test_a_variable_of_the_dashboard_has_values(prometheus, variable):
    (found,) = [one for one in DASHBOARD["templating"]["list"] if one["name"] == variable]
    series, label = found["query"]["query"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
    assert prometheus.ask(f"label/{label}/values", **{"match[]": filled(series)})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_has_values(prometheus, rule):
    assert (prometheus.values(rule["expr"]) == []) == (rule.get("alert") in SILENT)


def test_prometheus_has_loaded_every_rule_and_each_is_evaluated(prometheus):
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == {rule.get("alert") or rule["record"] for rule in RULES}
    assert {rule["health"] for rule in rules} == {"ok"}, rules
    firing = {rule["name"] for rule in rules if rule.get("state") in ("firing", "pending")}
    assert not firing & set(SILENT)
    assert {"HeadraceShardStopped", "HeadraceBreaker", "HeadraceDrift"} <= firing


def test_what_is_named_as_empty_is_there():
    assert {*ZERO, *AT_TIMES} <= set(QUERIES)
    assert set(SILENT) <= {rule.get("alert") for rule in RULES}

"""A model, a metric, a feature step, a detector, a control command, a view and a command of `headrace` are each added by one file and one row of a table.

They are added to a copy of the package as CONTRIBUTING.md says, and driven there the whole way of a record and of a request: by a worker on
a real broker, over HTTP, through a snapshot and a restart.
"""

import asyncio
import json
import os
import shutil
import subprocess
from typing import NamedTuple

import pytest
from harness import HEADRACE, ROOT, Worker, append, read_all, wait_for


class Addition(NamedTuple):
    """A file, and a row with the import that it needs: `row` stands in the place of `before` in the module that has the table."""

    path: str
    text: str
    table: str
    imports: str
    before: str
    row: str


ADDITIONS = [
    Addition(
        "learning/models/often.py",
        '''
"""The class that came most often, with its share."""

from river import base

from headrace.learning.tags import tagged


@tagged("often/1")
class Often(base.Classifier):
    def __init__(self):
        self.counts = {}

    def learn_one(self, x, y):
        self.counts[y] = self.counts.get(y, 0) + 1

    def predict_proba_one(self, x):
        return {label: count / sum(self.counts.values()) for label, count in self.counts.items()}
''',
        "learning/models/__init__.py",
        "from headrace.learning.models.often import Often",
        '        "mean": {"regression": mean},\n',
        '        "mean": {"regression": mean},\n        "often": {"binary": Often},\n',
    ),
    Addition(
        "learning/metrics/labels_seen.py",
        '''
"""How many different labels were seen."""

from headrace.learning.metrics.tallies import Tally
from headrace.learning.tags import Count, tagged
from headrace.learning.task import Label


@tagged("label-counts/1", counts=dict[Label, Count], last=Label | None)
class LabelCounts(Tally):
    name = "label_counts"

    def __init__(self):
        self.counts = {}
        self.last = None

    def update(self, label, value, p):
        self.counts[label] = self.counts.get(label, 0) + 1
        self.last = label

    def add(self, other):
        for label, count in other.counts.items():
            self.counts[label] = self.counts.get(label, 0) + count

    def view(self):
        return self.counts


def labels_seen(counts):
    return float(len(counts))
''',
        "learning/metrics/__init__.py",
        "from headrace.learning.metrics.labels_seen import LabelCounts, labels_seen",
        '        "r2": {"regression": Metric(Errors, r2)},\n',
        '        "r2": {"regression": Metric(Errors, r2)},\n        "labels_seen": {"binary": Metric(LabelCounts, labels_seen)},\n',
    ),
    Addition(
        "learning/features/rounded.py",
        '''
"""A number becomes the nearest multiple of another one."""

from headrace.learning.features.step import NUMBERS, Step
from headrace.learning.tags import tagged


@tagged("feature-rounded/1")
class Rounded(Step):
    takes = NUMBERS

    def __init__(self, to: float = 1.0):
        self.to = to
        self.learned = 0

    def transform(self, name, value, x):
        return {name: round(value / self.to) * self.to}

    def learn(self, value, x, y):
        self.learned += 1
''',
        "learning/features/__init__.py",
        "from headrace.learning.features.rounded import Rounded",
        '        "since": Since,\n',
        '        "since": Since,\n        "rounded": Rounded,\n',
    ),
    Addition(
        "learning/drift/every_third.py",
        '''
"""Fires at every third error, whatever it is."""

from headrace.learning.drift.change import Change
from headrace.learning.tags import tagged


@tagged("every-third/1")
class EveryThird:
    name = "every_third"
    takes = frozenset({"shares"})

    def __init__(self):
        self.errors = []

    def update(self, error):
        self.errors.append(error)
        return None if len(self.errors) % 3 else Change(0.0, error, 2, 1)
''',
        "learning/drift/__init__.py",
        "from headrace.learning.drift.every_third import EveryThird",
        '        "evidence": Evidence,\n',
        '        "evidence": Evidence,\n        "every_third": EveryThird,\n',
    ),
    Addition(
        "learning/guards/suspicious.py",
        '''
"""Raises an alarm at every label that is compared."""

from headrace.learning.signals import Notice
from headrace.learning.tags import tagged


@tagged("suspicious/1")
class Suspicious:
    name, asks, admits = "suspicious", "", False

    def __init__(self):
        self.alarms = 0

    @classmethod
    def of(cls, task):
        return cls()

    def compare(self, compared):
        self.alarms += 1
        return Notice(None, self.name, "label_rate", "changed", 0.0, 1.0, 0, self.alarms, None, None, "guard")

    def find_fault(self, features):
        return None

    def restart(self):
        self.alarms = 0
''',
        "learning/guards/__init__.py",
        "from headrace.learning.guards.suspicious import Suspicious",
        '        "outlier": OutlierGuard,\n',
        '        "outlier": OutlierGuard,\n        "suspicious": Suspicious,\n',
    ),
    Addition(
        "learning/reactions/wave.py",
        '''
"""Waves at whoever is there."""


class Wave:
    name, changes, ends = "wave", False, True

    def __init__(self, times: int = 1):
        self.times = times

    def find_hindrance(self, state, turn, signal):
        return None

    def act(self, state, turn, signal):
        turn.alert("drift", f"waved {self.times} times at {signal.detector}")
        return f"waved {self.times} times"
''',
        "learning/reactions/__init__.py",
        "from headrace.learning.reactions.wave import Wave",
        '        "pause": Pause,\n',
        '        "pause": Pause,\n        "wave": Wave,\n',
    ),
    Addition(
        "learning/commands/name.py",
        '''
"""The command `name`: the champion is called so from now on."""

from headrace.learning.control_record import Arguments, Text


class Name(Arguments, frozen=True, kw_only=True):
    called: Text


def name(state, turn, arguments):
    state.arms["champion"].version = arguments.called
    turn.alert("refolded", f"named at {turn.origin.offset}")
    return f"named {arguments.called}"
''',
        "learning/commands/__init__.py",
        "from headrace.learning.commands.name import Name, name",
        '"tick": Command(Tick, tick),',
        '"tick": Command(Tick, tick), "name": Command(Name, name),',
    ),
    Addition(
        "app/views/arms.py",
        '''
"""`GET /v1/{task}/arms`: the names of the arms."""

from headrace.app.contract import contract
from headrace.app.views.resource import Resource


class Arms(Resource):
    @contract(role="predict", gives=list[str], problems=(404,))
    async def get(self, request, task):
        "The names of the arms of a task, and what each was named."
        arms = self.serving.task(task).shards.answering(0).learner.state.arms
        return self.answer([f"{name} {arm.version}" for name, arm in arms.items()])
''',
        "app/views/__init__.py",
        "from headrace.app.views.arms import Arms",
        '    "/v1/{task}": TaskStatus,\n',
        '    "/v1/{task}": TaskStatus,\n    "/v1/{task}/arms": Arms,\n',
    ),
    Addition(
        "app/cli/tasks.py",
        '''
"""`headrace tasks`: the names of the tasks."""

import click

from headrace.app.cli.options import with_settings


@click.command()
@with_settings
def tasks(settings):
    """Print the names of the tasks."""
    for name, task in settings.tasks.items():
        click.echo(f"{name} learns with {task.model_name}")
''',
        "app/cli/__init__.py",
        "",
        '    "key": CommandRow(',
        '    "tasks": CommandRow("tasks", "Print the names of the tasks."),\n    "key": CommandRow(',
    ),
]

RESTARTS = """
from headrace.learning.task import Feature
from headrace.testing import MemoryLog, Task, check_model
detectors, reactions = [{"use": "every_third"}], [{"do": "wave", "on": ["error", "guard:suspicious"], "times": 2}]
features = {"x": Feature(step={"use": "rounded", "to": 0.5})}
log = MemoryLog(Task(name="ads", kind="binary", model="often", features=features, detectors=detectors, reactions=reactions))
for number in range(9):
    log.append({"features": {"x": 1.0}, "label": number % 4 == 0})
log.append({"control": "name", "called": "blue"})
log.append({"features": {"x": 1.0}, "label": True})
log.check_restarts()
print(len(check_model("often").faults), log.fold().digest)
"""
"""Restarts a fold with all that was added at every position, and checks the model that was added."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The folder of a copy of the package with all additions."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "headrace", folder / "headrace", ignore=shutil.ignore_patterns("__pycache__"))
    for addition in ADDITIONS:
        path, table = folder / "headrace" / addition.path, folder / "headrace" / addition.table
        assert not path.exists()
        path.write_text(addition.text.lstrip())
        text = table.read_text()
        assert text.count(addition.before) == 1, addition.before
        text = text.replace(addition.before, addition.row)
        table.write_text(text.replace("\nfrom ", f"\n{addition.imports}\nfrom ", 1))
    return folder


@pytest.fixture
def run(tree, tmp_path):
    """Run a program with the copy in an empty folder, and return its output."""

    def call(*command):
        environment = os.environ | {"PYTHONPATH": str(tree)}
        return subprocess.check_output(command, env=environment, cwd=tmp_path, text=True)

    return call


def test_what_was_added_survives_a_restart_at_every_position(run):
    faults, digest = run(HEADRACE[0], "-P", "-c", RESTARTS).split()
    assert faults == "0"
    assert len(digest) == 64


def test_each_addition_goes_the_whole_way_of_a_record_and_of_a_request(tree, run, broker, tmp_path):
    tasks = (
        '[tasks.added]\nkind = "binary"\nmodel = "often"\npredictions = true\n[[tasks.added.detectors]]\nuse = "every_third"\n'
        '[[tasks.added.reactions]]\ndo = "wave"\non = "guard:suspicious"\ntimes = 2\n[tasks.added.features]\nx = { step = { use = "rounded", to = 0.5 } }\n'
    )
    worker = Worker(tmp_path / "worker", broker, tasks)
    worker.path = str(tree)

    def shard():
        return worker.get("/v1/added")["shards"][0]

    def at(position):
        wait_for(lambda: shard().get("position") == position and shard()["digest"], 60, f"position {position}")
        return shard()

    try:
        worker.start().wait_ready()
        samples = [{"features": {"x": 1.0}, "label": number % 4 == 0} for number in range(9)]
        assert worker.post("/v1/added/samples", samples)[0] == 202
        at(10)  # the first message is the definition
        asyncio.run(append(broker, "added.events", [(0, b'{"control": "name", "called": "blue"}')]))
        before = at(11)
        champion = before["arms"]["champion"]
        assert (champion["model"], champion["version"]) == ("often", "blue")
        assert champion["made_of"] == {"use": "often", "feature.x": '{"to":0.5,"use":"rounded"}'}
        assert champion["metrics"]["labels_seen"] == champion["metrics"]["window"]["labels_seen"] == 2

        assert worker.get("/v1/added/arms") == ["champion blue", "no_change None", "majority None"]
        assert worker.post("/v1/nothing/arms", b"", method="GET")[0] == 404
        assert "/v1/added/arms" in worker.get("/openapi.json")["paths"]
        status, answer = worker.post("/v1/added/predict", {"features": {"x": 2.0}})
        assert (status, answer["prediction"], answer["version"]) == (200, False, "blue")
        assert answer["probabilities"] == {"true": 3 / 9, "false": 6 / 9}

        signals = [json.loads(message.value) for message in asyncio.run(read_all(broker, "added.signals"))]
        noticed = [signal["detector"] for signal in signals if "detector" in signal]
        assert (noticed.count("every_third"), set(noticed)) == (2, {"every_third", "suspicious"})
        waved = [signal["detail"] for signal in signals if signal.get("code") == "drift"]
        assert waved == ["waved 2 times at suspicious"] * noticed.count("suspicious")
        assert [
            signal["action"] for signal in worker.get("/v1/added/drift")["signals"] if signal["kind"] == "guard"
        ] == ["waved 2 times"] * len(waved)
        assert [signal["code"] for signal in signals if "code" in signal and signal["code"] != "drift"] == ["refolded"]

        assert run(*HEADRACE, "tasks", "--config", str(worker.config)) == "added learns with often\n"
        assert "Print the names of the tasks." in run(*HEADRACE, "--help")

        worker.stop()  # with a last snapshot
        worker.start().wait_ready()
        after = at(11)
        assert (after["digest"], after["arms"]) == (before["digest"], before["arms"])
        opened = [json.loads(line) for line in worker.log().splitlines() if '"status": "live"' in line]
        assert [line["position"] for line in opened] == [0, 11]  # from its snapshot
        assert not worker.failures()
        assert worker.post("/v1/added/samples", samples)[0] == 202
        assert at(20)["updates"] == 18
    finally:
        worker.stop("SIGKILL")

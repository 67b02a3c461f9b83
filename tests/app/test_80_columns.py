"""Everything that a command prints fits a terminal of 80 columns, however long the names are, and nothing of it is cut."""

import json
import random

import click
import harness
import pytest

from headrace import Client
from headrace.app.cli import terminal

TASK = "the-churn-of-customers-in-all-countries-and-languages-of-europe"
"""As long as the name of a task may be."""

FEATURE = "the number of sessions in the last thirty days before the renewal"
ARMS = {
    f"challenger-whose-name-is-as-long-as-the-names-of-arms-may-become-{at}"[-63:].strip("-"): model
    for at, model in enumerate(["logistic", "naive_bayes", "hoeffding_tree"])
}
FIRST, *_, LAST = ARMS
TOML = f"""
[tasks.{TASK}]
kind = "binary"
model = "logistic"
predictions = true

[tasks.{TASK}.features]
"{FEATURE}" = {{ type = "float" }}
town = {{ type = "string", optional = true }}

[[tasks.{TASK}.detectors]]
use = "adwin"
watch = "error"

[[tasks.{TASK}.detectors]]
use = "ks"
watch = "feature:{FEATURE}"

""" + "".join(f'[tasks.{TASK}.arms.{name}]\nmodel = "{model}"\n\n' for name, model in ARMS.items())


def rows():
    """3,000 rows, the labels of whose second half are the other way round; the feature rises late."""
    rng = random.Random(3)
    for at in range(3_000):
        x = rng.random() + (at > 2_000)
        yield {"id": f"{'a-long-id-' * 12}{at}", "features": {FEATURE: x}, "label": (x % 1 > 0.5) == (at < 1_500)}


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    started = harness.Worker(tmp_path_factory.mktemp("columns"), broker, TOML, instance="one").start()
    bad = [
        {"features": {FEATURE[:-1]: 1.0, "town": "x y" * 100}, "label": True},
        {"features": {FEATURE: "much"}, "label": True},
        {"features": {FEATURE: 0.5}, "label": "perhaps"},
    ]
    try:
        started.wait_ready()
        (started.folder / "bad.ndjson").write_text("\n".join(map(json.dumps, bad)))
        with Client(started.address) as client:
            all_rows = list(rows())
            for at in range(0, len(all_rows), 500):
                client.samples(TASK, all_rows[at : at + 500])
            client.predict(TASK, {FEATURE: 0.5}, id="q1", log=True)
            harness.wait_for(lambda: client.status(TASK).shards[0].updates == len(all_rows), 60, "learned")
            client.control(TASK, "checkpoint")
        yield started
    finally:
        started.stop()


COMMANDS = [
    "status TASK", "status", "metrics TASK", "metrics TASK --metric log_loss", "metrics TASK --arm none", "versions TASK", "drift TASK",
    "quarantine TASK", "compare TASK", f"compare TASK {FIRST} {LAST}", "jobs TASK", "jobs TASK --cancel none", "top", "tail TASK --no-follow",
    "tail TASK predictions --no-follow", "tail TASK signals --no-follow", "explain TASK q1", "explain TASK none", "doctor", "traffic TASK",
    f"traffic TASK {FIRST}=2", "predict TASK", "predict TASK FEATURE=0.3", "predict TASK FEATURE=much", "predict TASK other=1", f"predict {TASK[:-1]}",
    "apply TASK --dry-run", "replay TASK", "replay TASK --at 100", "diff TASK 100 200", "checkpoint TASK", "pin TASK v1", "rollback TASK v9", "react TASK none",
    "pause TASK", "resume TASK", "report TASK", "retrain TASK --dry-run", "unlearn TASK --id q1 --dry-run", "migrate TASK --dry-run",
    "notify --test", "key", "promote TASK none", "export TASK", "import TASK none", "send TASK bad.ndjson", "send TASK bad.ndjson --skip-invalid", "send TASK none.csv",
    "warm-start TASK bad.ndjson", "warm-start TASK bad.ndjson --skip-invalid", "baseline TASK --from bad.ndjson", "init", "init bad.ndjson --add",
    "init bad.ndjson --add --task other", "make-model TASK", "try-models TASK",
]  # fmt: skip
"""Commands that show something, and commands that fail with a message. A page of the report has a name of its own."""


RECORDS = ("tail", "quarantine")
"""Commands that show records, each of which stays one line, whatever it contains."""


@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_passes_80_columns_and_nothing_is_cut(worker, headrace, monkeypatch, command):
    """Only a word that is too long by itself does, such as a path, because it is to be copied."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("HEADRACE_CONFIG", str(worker.config))
    monkeypatch.chdir(worker.folder)
    monkeypatch.setattr(terminal, "terminal_width", lambda **_: 80)
    called = headrace(*(word.replace("TASK", TASK).replace("FEATURE", FEATURE) for word in command.split()))
    said = called.out + called.err
    assert said.strip()
    assert "Traceback" not in said
    long = [line for line in said.splitlines() if len(line) > 80 and len(line.split()) > 1]
    assert [line for line in long if not (command.startswith(RECORDS) and ("{" in line or line[:2] == "20"))] == []
    assert [line for line in said.splitlines() if "\u2026" in line] == []


def test_messages_are_wrapped_on_a_terminal_alone(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "30")
    line = "a line that is much longer than thirty characters"
    terminal.say(line)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    terminal.say(line)
    terminal.say(line, whole=True)
    said = click.unstyle(capsys.readouterr().out)
    assert said.splitlines() == [
        line,
        "a line that is much longer",
        "  than thirty characters",
        line,
    ]

"""docs/how-to/go-back.md is followed command by command, on a real worker: from a history to a mended model."""

import csv
import random
import re
import shlex
import uuid
from pathlib import Path

import harness
import pytest
from click.testing import CliRunner

from headrace.app.cli import headrace

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "go-back.md"
POISONED = range(300)


def commands():
    """Each command on the page, in its order."""
    for block in re.findall(r"^```\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        yield from (line for line in block.splitlines() if line.startswith("headrace "))


def write(path, count, name, poisoned=()):
    dice = random.Random(name)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "price", "clicks", "label"])
        for number in range(count):
            price, clicks = dice.gauss(0, 1), dice.gauss(0, 1)
            is_true = (price + clicks > 0) != (number in poisoned)
            table.writerow([f"{name}-{number}", f"{price:.4f}", f"{clicks:.4f}", str(is_true).lower()])


@pytest.fixture
def worker(broker, tmp_path):
    name = f"ads{uuid.uuid4().hex[:8]}"
    started = harness.Worker(tmp_path, broker, f'[tasks.{name}]\nkind = "binary"\n').start()
    started.task = name
    yield started.wait_ready()
    started.stop("SIGKILL")


def test_every_command_of_the_page_does_what_the_page_says(worker, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "history.csv", 2_000, "old")
    write(tmp_path / "monday.csv", 4_800, "monday")
    write(tmp_path / "poisoned.csv", 600, "bad", POISONED)
    (tmp_path / "poisoned-ids.txt").write_text("".join(f"bad-{number}\n" for number in POISONED))
    told, followed = {}, []
    for command in commands():
        _, verb, task, *rest = shlex.split(command)
        assert task == "ads"
        answer = CliRunner().invoke(headrace, [verb, "--config", str(worker.config), worker.task, *rest])
        assert answer.exit_code == 0, (command, answer.output, answer.exception)
        told[verb] = answer.stdout
        followed.append(verb)
        wait_until_folded(worker)
    assert followed[:4] == ["warm-start", "send", "checkpoint", "versions"]
    assert "pinned" in told["versions"]
    assert told["rollback"].startswith("shard 0: rolled back from ")
    assert told["unlearn"].startswith("shard 0: installed v")
    assert told["retrain"].startswith("shard 0: installed v")
    assert "No job is under way" in told["jobs"]
    assert "monday-7" in told["explain"]


def wait_until_folded(worker):
    def is_folded():
        (shard,) = worker.get(f"/v1/{worker.task}")["shards"]
        return shard["state"] == "waiting" or shard["position"] == shard["end"]

    harness.wait_for(is_folded, 30, "all folded")

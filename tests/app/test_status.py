"""`headrace status`: many tasks fit on one screen, nothing passes 80 columns, and `--watch` goes on until it is stopped."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
import uuid

import harness
import pytest

from headrace.app.cli.screen import Screen
from headrace.app.cli.status import as_overview

COUNT = 4


def answer(name, **more):
    shard = {"partition": 0, "state": "live", "position": 10, "end": 12, "updates": 9, "quarantined": 1}
    overall = {"shards": [0], "arms": {"champion": {"metrics": {"accuracy": 0.875, "f1": 0.5}}}}
    return {"task": name, "kind": "binary", "shards": [shard, shard | {"partition": 1}], "overall": overall} | more


def shown(statuses, width=80):
    screen = Screen(file=io.StringIO(), width=width)
    screen.print(as_overview(statuses, width))
    return screen.file.getvalue()


def test_each_task_has_one_row_with_the_figures_of_all_its_shards():
    text = shown([answer(f"task-{number}") for number in range(20)])
    rows = [line for line in text.splitlines() if "task-" in line]
    assert len(rows) == 20
    assert rows[0].replace("│", " ").split() == ["task-0", "binary", "2", "live", "4", "18", "2", "accuracy", "0.8750"]


def test_rows_that_a_source_has_refused_count_as_quarantined():
    (row,) = [
        line for line in shown([answer("ads", sources={"rejected": 5, "partitions": []})]).splitlines() if "ads" in line
    ]
    assert row.replace("│", " ").split()[6] == "7"


@pytest.mark.parametrize("width", [30, 60, 80, 200])
@pytest.mark.parametrize("name", ["ads", "n" * 120])
def test_nothing_passes_the_width_and_names_are_whole(width, name):
    text = shown([answer(name), answer("clicks")], width)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("n") >= name.count("n"), "a long name is folded, not cut"
    assert "…" not in text


def test_what_is_stopped_is_said_below_and_a_task_without_shards_has_a_row():
    stopped = answer("ads", shards=[{"partition": 1, "state": "stopped", "error": "the log is another one."}])
    part = {"topic": "orders", "partition": 3, "error": "offset 7 is gone."}
    lost = answer("lost", shards=[], overall=None, error="there is no topic.", sources={"partitions": [part]})
    text = shown([stopped, lost], 120)
    assert "1 stopped" in text
    assert "none yet" in text
    assert "ads, shard 1: the log is another one." in text
    assert "lost is stopped: there is no topic." in text
    assert "lost, source orders/3: offset 7 is gone." in text


@pytest.fixture
def worker(broker, tmp_path):
    run = uuid.uuid4().hex[:6]
    names = [f"many{number}-{run}" for number in range(COUNT)]
    toml = "".join(f'[tasks.{name}]\nkind = "binary"\n' for name in names)
    started = harness.Worker(tmp_path, broker, toml).start()
    started.names = names
    try:
        yield started.wait_ready()
    finally:
        started.stop("SIGKILL")


def test_a_worker_of_many_tasks_is_shown_on_one_screen_and_watched_until_ctrl_c(worker):
    said = worker.run("status").stdout
    assert [name for name in worker.names if name not in said] == []
    assert len(said.splitlines()) < COUNT + 8
    assert [one["task"] for one in json.loads(worker.run("status", "--json").stdout)] == worker.names
    both = worker.run("status", "--watch", "--json")
    assert both.returncode == 2
    assert "--watch is for people" in both.stderr
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "headrace", "status", "--watch", "--config", str(worker.config)]
    watching = subprocess.Popen(command, env=worker.environment(), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        seen = b""
        while seen.count(worker.names[0].encode()) < 2:  # it was shown anew
            seen += os.read(ours, 65_536)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 0
    finally:
        watching.kill()
        watching.wait()
        os.close(ours)

"""Faust's own command line starts the same worker, and lists its agents."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fork_server import SERVER
from harness import ROOT, Worker, free_port, wait_for

PROGRAM = [str(Path(sys.executable).with_name("faust")), "-A", "headrace.worker"]
FORKED = ["faust", "-A", "headrace.worker"]
TASK = """
[tasks.listed]
kind = "binary"
features.x = { type = "float" }
"""


def environment(config):
    return os.environ | {"HEADRACE_CONFIG": str(config), "PYTHONPATH": str(ROOT)}


def faust(config, *arguments, cwd=ROOT):
    return SERVER.run([*FORKED, *arguments], environment(config), cwd)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "headrace.toml"
    path.write_text(TASK)
    return path


def test_it_lists_the_agents(config):
    sources = [
        f'[[tasks.listed.sources]]\ntopic = "{topic}"\nlabel = "y"\nfeatures = "@"\n' for topic in ("clicks", "views")
    ]
    config.write_text(config.read_text() + "".join(sources))
    listed = faust(config, "agents")
    assert listed.returncode == 0, listed.stderr
    for name, topic in (("learn.listed", "listed.events"), ("ingest.listed", "clicks, views")):
        (line,) = [line for line in listed.stdout.splitlines() if f"@{name}" in line]
        assert topic in line
        assert "<N/A>" not in line


@pytest.mark.parametrize(
    "option",
    [
        "--web-port=1234", "--web-host=elsewhere", "--web-bind=elsewhere", "--web-transport=unix:///tmp/web",
        "--without-web", "--logfile=worker.log",
    ],
)  # fmt: skip
def test_an_option_that_would_change_the_settings_is_refused(config, option):
    refused = faust(config, "worker", option)
    assert refused.returncode == 2
    assert f"Faust's {option.split('=')[0]} would" in refused.stderr
    assert str(config) in refused.stderr
    assert "Traceback" not in refused.stderr


def test_another_datadir_is_refused_and_the_same_one_is_not(config, tmp_path):
    refused = faust(config, f"--datadir={tmp_path}", "worker")
    assert refused.returncode == 2
    assert "Faust's --datadir would" in refused.stderr
    config.write_text(f'[broker]\nurl = "kafka://127.0.0.1:{free_port()}"\n' + config.read_text())
    (tmp_path / "data").mkdir()
    tried = faust(config, f"--datadir={tmp_path / 'data'}", "worker")
    assert tried.returncode == 1
    assert "cannot be reached" in tried.stderr


def test_a_start_with_another_hash_seed_prints_one_banner(config, monkeypatch):
    monkeypatch.delenv("PYTHONHASHSEED")
    command = [*PROGRAM, "worker", "--web-port=1234"]
    refused = subprocess.run(command, env=environment(config), capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
    assert refused.stdout.count("| transport ") == 1


def test_without_settings_it_says_what_to_do(tmp_path):
    refused = faust(tmp_path / "none.toml", "worker")
    assert refused.returncode != 0
    assert "headrace init" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", ["worker", "agents"])
@pytest.mark.parametrize("option", [["-W", "sub"], ["--workdir=sub"], []])
def test_a_relative_working_folder_is_refused(config, tmp_path, monkeypatch, option, command):
    (tmp_path / "sub").mkdir()
    if not option:
        monkeypatch.setenv("F_WORKDIR", "sub")
    refused = faust(config, *option, command, cwd=tmp_path)
    assert refused.returncode == 1
    assert "'sub'" in refused.stderr
    assert "Write the whole path" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_absolute_working_folder_is_changed_into(config, tmp_path):
    assert faust("headrace.toml", "-W", str(tmp_path), "agents").returncode == 0


class FaustWorker(Worker):
    """A worker that `faust worker` starts."""

    is_forked = False

    def arguments(self):
        return [*PROGRAM, "worker", "-l", "info"]


def test_it_learns_answers_and_ends(tmp_path, broker):
    worker = FaustWorker(tmp_path, broker, TASK).start().wait_ready()
    try:
        status, _ = worker.post("/v1/listed/samples", {"features": {"x": 1.0}, "label": True})
        assert status == 202
        wait_for(
            lambda: worker.get("/v1/listed")["shards"][0]["position"] == 2, 10, "the definition and the sample folded"
        )
        status, answer = worker.post("/v1/listed/predict", {"features": {"x": 1.0}})
        assert status == 200
        assert answer["position"] == 2
        wait_for(lambda: "ready at" in worker.log(), 10, "it says so, a tenth of a second later")
    finally:
        worker.stop()
    assert worker.process.returncode == 0
    assert worker.failures() == []

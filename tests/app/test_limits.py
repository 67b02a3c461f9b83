"""Open files: a worker raises the limit and counts the files of a shard, and no database is opened in place of a standard stream."""

import contextlib
import importlib
import os
import resource
import subprocess
import sys
import uuid
from pathlib import Path

import harness
import pytest

from headrace.app.limits import SHARD_DESCRIPTORS, WORKER_DESCRIPTORS
from headrace.app.settings import parse

SHARDS = 8


def test_a_worker_raises_its_limit_and_a_shard_opens_no_more_files_than_is_said(broker, tmp_path):
    name = f"files{uuid.uuid4().hex[:8]}"
    worker = harness.Worker(tmp_path, broker, f'[tasks.{name}]\nkind = "binary"\npartitions = {SHARDS}\n')
    worker.is_forked = False  # it inherits the limit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        worker.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        worker.wait_ready()
        limits = Path(f"/proc/{worker.process.pid}/limits").read_text()
        assert f"Max open files            {min(hard, 1 << 20)} " in limits
        opened = []
        for link in Path(f"/proc/{worker.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed since it was listed
                opened.append(str(link.readlink()))
        of_shards = [path for path in opened if "/data/" in path and not path.endswith("worker.pid")]
        assert 0 < len(of_shards) <= SHARDS * SHARD_DESCRIPTORS
        assert len(opened) - len(of_shards) < WORKER_DESCRIPTORS
    finally:
        worker.stop("SIGKILL")


@pytest.mark.parametrize(("limit", "status"), [(200 + 4 * SHARD_DESCRIPTORS, "ok"), (100, "fault")])
def test_doctor_says_how_many_open_files_are_needed(monkeypatch, tmp_path, limit, status):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, limit))
    settings = parse({"tasks": {"a": {"kind": "binary", "partitions": 4}}}, tmp_path / "headrace.toml")
    doctor = importlib.import_module("headrace.app.cli.doctor")  # `app.cli.doctor` is the command
    (finding,) = doctor.check_descriptors(settings)
    assert finding.status == status
    assert f"needs {200 + 4 * SHARD_DESCRIPTORS} for 4 shards" in finding.what


def test_a_file_is_never_opened_in_the_place_of_a_closed_stderr(tmp_path):
    program = (
        "import sys; from headrace.app.limits import open_standard_streams; open_standard_streams();"
        f"opened = open({str(tmp_path / 'database')!r}, 'w'); print('lost', file=sys.stderr);"
        "sys.exit(opened.fileno() < 3)"
    )
    command = ["bash", "-c", 'exec "$@" 0<&- 2>&-', "bash", sys.executable, "-c", program]
    assert subprocess.run(command, check=False, env=os.environ | {"PYTHONPATH": str(harness.ROOT)}).returncode == 0
    assert (tmp_path / "database").read_text() == ""

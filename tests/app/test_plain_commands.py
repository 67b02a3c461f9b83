"""Commands without a broker or a worker say so in plain words, on a line of their own and no other."""

import os
import subprocess
import sys

import harness
import pytest
from click.testing import CliRunner
from plainness import foreign

from headrace.app.cli import COMMANDS
from headrace.app.cli import headrace as group


@pytest.mark.parametrize(
    "words",
    [
        ["status", "ads"],
        ["quarantine", "ads"],
        ["tail", "ads"],
        ["explain", "ads", "1"],
        ["send", "ads", "rows.csv", "--label", "y"],
        ["doctor"],
    ],
    ids=lambda words: words[0],
)
def test_a_command_that_finds_nobody_is_plain_about_it(tmp_path, words):
    broker = harness.free_port(2)
    web = broker + 1
    settings = f'[broker]\nurl = "kafka://127.0.0.1:{broker}"\n[worker]\nweb = "127.0.0.1:{web}"\n[tasks.ads]\nkind = "binary"\n'
    (tmp_path / "headrace.toml").write_text(settings)
    (tmp_path / "rows.csv").write_text("a,y\n1,true\n")
    done = subprocess.run(
        [sys.executable, "-m", "headrace", *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(harness.ROOT), "COLUMNS": "200"},
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert foreign(said) is None
    assert f"127.0.0.1:{broker}" in said or f"127.0.0.1:{web}" in said
    assert words == ["doctor"] or len(done.stderr.splitlines()) == 1, "the error alone"


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)], ids=lambda words: (words or ["headrace"])[0])
def test_no_help_is_cut_or_passes_80_columns(words):
    shown = CliRunner().invoke(group, [*words, "--help"], terminal_width=80).output
    assert "Usage:" in shown
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert [
        line
        for line in shown.splitlines()
        if line.endswith("...") and "Usage:" not in line and "class, ..." not in line
    ] == []

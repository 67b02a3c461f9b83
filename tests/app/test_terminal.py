"""What records, labels, ids and reasons contain is shown by the command line; a terminal obeys none of it."""

import ast
import asyncio
import io
import json
from pathlib import Path

import harness
import pytest
from rich.table import Table
from served import TERMINAL as TASK

from headrace.app import cli
from headrace.app.cli.screen import Screen

OBEYED = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\x08\u202e"
"""It sets the title of the terminal, clears it, colours it, and goes back over what was written."""

CHARACTERS = {one for one in OBEYED if not one.isprintable()}

HOSTILE = [
    {"id": f"q{OBEYED}", "features": {f"x{OBEYED}": 1.0, "c": f"[red]{OBEYED}\na second line"}, "label": f"a{OBEYED}"},
    {"id": "other", "features": {f"x{OBEYED}": 2.0}, "label": "b"},
    {"id": f"r{OBEYED}", "features": {"x": 1.0}, "label": {"none": OBEYED}},
    {"control": f"go{OBEYED}", "by": OBEYED},
]


@pytest.fixture(scope="module")
def worker(served, broker):
    values = [(0, json.dumps(one, ensure_ascii=False).encode()) for one in HOSTILE]
    asyncio.run(harness.append(broker, f"{TASK}.events", [*values, (0, OBEYED.encode())]))

    def is_folded():
        (shard,) = served.get(f"/v1/{TASK}")["shards"]
        return shard["updates"] == 2 and shard["quarantined"] >= 3

    harness.wait_for(is_folded, 20, "all is folded")
    return served


@pytest.mark.parametrize(
    "words",
    [
        ("tail", TASK, "--no-follow"),
        ("tail", TASK, "--no-follow", "--json"),
        ("tail", TASK, "quarantine", "--no-follow"),
        ("tail", TASK, "signals", "--no-follow"),
        ("quarantine", TASK),
        ("quarantine", TASK, "--json"),
        ("status", TASK),
        ("explain", TASK, HOSTILE[0]["id"]),
        ("explain", TASK, f"unknown{OBEYED}"),
        ("predict", TASK, "x=1"),
        ("rollback", TASK, f"v1-0-{OBEYED}"),
    ],
    ids=lambda words: "-".join(word for word in words if word.isascii() and word != TASK),
)
def test_nothing_that_a_command_prints_is_obeyed(worker, headrace, words):
    called = headrace(*words, "--config", worker.config)
    assert called.out or called.err
    assert not CHARACTERS & set(called.out + called.err), called


def test_a_record_is_one_line_whatever_it_contains(worker, headrace):
    shown = headrace("tail", TASK, "--no-follow", "--config", worker.config).out.splitlines()
    (line,) = [one for one in shown if "sample q" in one]
    assert r"c=[red]\x1b]0;owned\x07\x1b[2J\x9b31m\r\x08\u202e\na second line -> a\x1b]0" in line


def test_a_cell_of_a_table_is_plain_text():
    table = Table("feature", title=f"of [b]{OBEYED}")
    table.add_row(f"[red]:key:[/b] {OBEYED}")
    screen = Screen(file=io.StringIO(), width=100)
    screen.print(table)
    shown = screen.file.getvalue()
    assert not CHARACTERS & set(shown)
    assert r"[red]:key:[/b] \x1b]0;owned\x07" in shown


def test_commands_print_through_the_terminal_and_the_screen_alone():
    """Otherwise the next command would print what a terminal obeys."""
    for path in Path(cli.__file__).parent.glob("*.py"):
        if path.stem in ("terminal", "screen"):
            continue
        tree = ast.parse(path.read_text())
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not {"echo", "secho", "Console", "print"} & (attributes - {"print"} | imported | called), path.name

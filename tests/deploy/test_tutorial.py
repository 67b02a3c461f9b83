"""The tutorial, followed by a reader who types every command."""

import pytest
from fork_server import ADDRESS, FORKED_HEADRACE, SERVER
from thorough import IS_THOROUGH
from walk import PAGE, Output, Reader, differences, read_steps, walk


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """The folder of the `headrace` that the reader types. In `make test` it is forked, but for the broker and the workers."""
    (tmp_path / "home").mkdir()
    if IS_THOROUGH:
        return None
    folder = tmp_path / "scripts"
    folder.mkdir()
    interpreter, *words = FORKED_HEADRACE
    (folder / "headrace").write_text(f'#!/bin/sh\nexec {interpreter} {" ".join(words)} "$@"\n')
    (folder / "headrace").chmod(0o755)
    monkeypatch.setenv(ADDRESS, SERVER.address)
    return folder


def test_every_command_of_the_tutorial_prints_what_the_page_says(tmp_path, scripts):
    reader = Reader(tmp_path / "home", scripts)
    outputs = list(walk(reader))
    differing = list(differences(PAGE.read_text(), outputs))
    assert not differing, "\n".join(differing)
    assert reader.did == {"killed", "opened /tasks/visits", "started after the kill", "started after Ctrl-C"}
    assert sum(output.step.printed is not None for output in outputs) > 10


def test_what_differs_from_the_page_is_noticed():
    page = "Ask:\n\n```\nheadrace predict ads\n```\n\n```\ntrue\n  position 5, at most 0.1 s old\n```\n"
    (step,) = read_steps(page)
    assert not list(differences(page, [Output(step, "true\n  position 5, at most 9 s old\n", 0.0)]))
    assert list(differences(page, [Output(step, "true\n  position 6, at most 0.1 s old\n", 0.0)]))


def test_how_well_a_task_of_two_topics_answered_may_differ():
    page = "Ask:\n\n```\nheadrace status fraud\n```\n\n```\nchampion: accuracy 0.8520\n1000 answered\n```\n"
    (step,) = read_steps(page)
    assert not list(differences(page, [Output(step, "champion: accuracy 0.7870\n1000 answered\n", 0.0)]))
    assert list(differences(page, [Output(step, "champion: accuracy 0.8520\n999 answered\n", 0.0)]))

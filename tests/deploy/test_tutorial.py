"""The tutorial, walked through by a reader who types every command."""

import walk


def test_every_command_of_the_tutorial_prints_what_the_page_says(tmp_path):
    found = []
    reader = walk.walk(tmp_path, lambda step, printed, _: found.append((step, printed)))
    assert not list(walk.differences(walk.PAGE.read_text(), found))
    assert reader.did == {"killed", "opened /tasks/visits", "started after the kill", "started after Ctrl-C"}
    assert sum(step.printed is not None for step, _ in found) > 10


def test_what_differs_from_the_page_is_noticed():
    page = "Ask:\n\n```\nheadrace predict ads\n```\n\n```\ntrue\n  position 5, at most 0.1 s old\n```\n"
    (step,) = walk.read_steps(page)
    assert not list(walk.differences(page, [(step, "true\n  position 5, at most 9 s old\n")]))
    assert list(walk.differences(page, [(step, "true\n  position 6, at most 0.1 s old\n")]))

"""The tutorial, followed by a reader who types every command."""

from walk import PAGE, Output, Reader, differences, read_steps, walk


def test_every_command_of_the_tutorial_prints_what_the_page_says(tmp_path):
    reader = Reader(tmp_path)
    outputs = list(walk(reader))
    assert not list(differences(PAGE.read_text(), outputs))
    assert reader.did == {"killed", "opened /tasks/visits", "started after the kill", "started after Ctrl-C"}
    assert sum(output.step.printed is not None for output in outputs) > 10


def test_what_differs_from_the_page_is_noticed():
    page = "Ask:\n\n```\nheadrace predict ads\n```\n\n```\ntrue\n  position 5, at most 0.1 s old\n```\n"
    (step,) = read_steps(page)
    assert not list(differences(page, [Output(step, "true\n  position 5, at most 9 s old\n", 0.0)]))
    assert list(differences(page, [Output(step, "true\n  position 6, at most 0.1 s old\n", 0.0)]))

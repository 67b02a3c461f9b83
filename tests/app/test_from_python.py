"""docs/how-to/python.md and its notebook are followed on a real worker, and print what stands in them."""

import contextlib
import io
import json
import re
from typing import NamedTuple

import harness
import pytest

PAGE = harness.ROOT / "docs" / "how-to" / "python.md"
NOTEBOOK = PAGE.with_suffix(".ipynb")
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```\n(.*?)```\n)?", re.DOTALL)
ADDRESS = "http://127.0.0.1:6066"


class Cell(NamedTuple):
    """Code, and what it prints."""

    code: str
    printed: str


def cells_of_page():
    return [Cell(code, printed) for code, printed in BLOCK.findall(PAGE.read_text())]


def cells_of_notebook():
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    return [Cell(text(cell["source"]), "".join(text(output["text"]) for output in cell["outputs"])) for cell in cells]


def text(lines):
    return "".join(lines)


def settings():
    """The tables of the tasks, as the page and the notebook show them."""
    shown = [PAGE.read_text(), *(text(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"])]
    return "\n".join(table for one in shown for table in re.findall(r"```toml\n(.*?)```", one, re.DOTALL))


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    started = harness.Worker(tmp_path_factory.mktemp("python"), broker, settings()).start()
    try:
        yield started.wait_ready()
    finally:
        started.stop("SIGKILL")


@pytest.mark.parametrize("cells", [cells_of_page, cells_of_notebook], ids=["page", "notebook"])
def test_the_code_prints_what_stands_below_it(worker, cells):
    names = {"__name__": "__main__"}
    for cell in cells():
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(cell.code.replace(ADDRESS, worker.address), "cell", "exec"), names)
        assert printed.getvalue() == cell.printed, cell.code


def test_every_cell_of_both_is_found():
    """Were no cell found, the test above would hold."""
    assert PAGE.read_text().count("```python") == len(cells_of_page()) == 5
    assert all(cell.printed for cell in cells_of_page())
    assert len(cells_of_notebook()) == 7
    assert ADDRESS in "".join(cell.code for cell in cells_of_notebook())
    assert json.loads(NOTEBOOK.read_text())["nbformat"] == 4

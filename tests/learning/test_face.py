"""What `from headrace import …` gives, and the example of the README."""

import inspect
import re
import subprocess
import sys

import pytest
from harness import ROOT

import headrace


@pytest.mark.parametrize("name", headrace.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name):
    public = getattr(headrace, name)
    assert name == "__version__" or inspect.getdoc(public)
    assert name in dir(headrace)


def test_another_name_is_not_there():
    with pytest.raises(AttributeError, match="'headrace' has no attribute 'Lerner'"):
        _ = headrace.Lerner


def test_importing_it_loads_no_river_and_no_faust():
    code = "import sys, headrace; print({'river', 'faust', 'aiokafka', 'numpy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT) == "set()\n"


def test_the_example_of_the_readme_prints_what_it_says():
    (example,) = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    code, printed = example
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT) == printed

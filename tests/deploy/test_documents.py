"""The documents can be read in a terminal, and their links lead somewhere."""

import re
import subprocess

import pytest
from harness import ROOT

WIDTH = 100
DOCUMENTS = sorted(
    ROOT / name for name in subprocess.check_output(["git", "ls-files", "*.md"], cwd=ROOT, text=True).splitlines()
)
FILE = re.compile(r"`((?:app|agents|tables|learning|headrace|tests|benchmarks|deploy|docs)/[\w/.-]+\.\w+)(?:::(\w+))?`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(document):
    """The anchors of a document's headings, as code hosts make them: lower case, no punctuation, a dash for a space."""
    headings = re.findall(r"(?m)^#+ (.+)$", document.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def prose(document):
    """Numbered lines of a document that are neither code nor a row of a table, which cannot be wrapped."""
    is_code = False
    for number, line in enumerate(document.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code and not line.startswith("|"):
            yield number, line


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_end_at_100(document):
    code = re.compile(r"`[^`]*`")  # it cannot be wrapped
    long = [(number, line) for number, line in prose(document) if len(line) > WIDTH]
    assert [number for number, line in long if len(code.sub("`code`", line)) > WIDTH] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document):
    for link in LINK.findall(document.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(document):
    for name, member in FILE.findall(document.read_text()):
        file = ROOT / name
        assert file.exists(), name
        assert not member or member in file.read_text(), f"{name}::{member}"

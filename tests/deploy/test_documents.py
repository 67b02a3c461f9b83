"""The documents can be read in a terminal, their links lead somewhere, and what the code says of them is there."""

import ast
import io
import re
import subprocess
import tokenize
import tomllib

import pytest
from harness import ROOT

WIDTH = 100


def tracked(*patterns):
    """The files of the repository whose names match."""
    listed = subprocess.check_output(["git", "ls-files", *patterns], cwd=ROOT, text=True)
    return sorted(path for name in listed.splitlines() if (path := ROOT / name).exists())


DOCUMENTS = tracked("*.md")
CODE = tracked(
    "app/*.py", "agents/*.py", "tables/*.py", "learning/*.py", "headrace/*.py", "benchmarks/*.py", "deploy/*.py"
)
INDEX = ROOT / "docs" / "README.md"
FILE = re.compile(r"`((?:app|agents|tables|learning|headrace|tests|benchmarks|deploy|docs)/[\w/.-]+\.\w+)(?:::(\w+))?`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED = re.compile(r'(?P<titles>(?:"[^"]+"(?:, | and )?)*)(?P<in> in )?(?P<document>docs/[\w/-]+\.md)')
"""A document that a text names, with the titles of its sections in front: `"Memory" in docs/how-to/capacity.md`."""


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


def test_what_is_looked_for_is_found():
    """Were there no document, or did the patterns match nothing, all below would hold."""
    text = "".join(document.read_text() for document in DOCUMENTS)
    assert len(DOCUMENTS) > 10
    assert len(LINK.findall(text)) > 50
    assert len(FILE.findall(text)) > 50


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


def texts(module):
    """The strings and the comments of a module that name a document, each as one line."""
    source = module.read_text()
    if "docs/" not in source:
        return
    strings = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    for text in (*strings, *(token.string for token in tokens if token.type == tokenize.COMMENT)):
        if isinstance(text, str) and "docs/" in text:
            yield " ".join(text.split())


def missing(text):
    """The documents and the sections that a text names and that are not there."""
    for found in NAMED.finditer(text):
        document = ROOT / found["document"]
        if not document.exists():
            yield found["document"]
        elif found["in"]:
            titles = re.findall(r"(?m)^#+ (.+)$", document.read_text())
            yield from (title for title in re.findall(r'"([^"]+)"', found["titles"]) if title not in titles)


def test_every_document_and_section_that_the_code_names_is_there():
    named = {(module, name) for module in CODE for text in texts(module) for name in missing(text)}
    assert named == set()
    assert sum(len(NAMED.findall(text)) for module in CODE for text in texts(module)) > 30


def test_a_document_or_section_that_is_not_there_is_noticed():
    assert list(missing('See "Memory" in docs/how-to/capacity.md, or docs/reference.md.')) == []
    assert list(missing('See "Memories" in docs/how-to/capacity.md.')) == ["Memories"]
    assert list(missing('See "Memory" and "Memories" in docs/how-to/capacity.md.')) == ["Memories"]
    assert list(missing("docs/operations.md says it.")) == ["docs/operations.md"]


@pytest.mark.parametrize("document", tracked("docs/*.md"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_index_leads_to_every_document(document):
    indexes = [INDEX, ROOT / "docs" / "decisions" / "README.md"]
    reached = {(index.parent / link).resolve() for index in indexes for link in LINK.findall(index.read_text())}
    assert document in {*reached, INDEX}


@pytest.mark.parametrize("decision", tracked("docs/decisions/0*.md"), ids=lambda path: path.name)
def test_a_decision_says_when_by_what_and_at_what_price(decision):
    parts = re.findall(r"(?m)^\*\*(\w+(?: \w+)?)\.\*\* \S", decision.read_text())
    assert parts[:5] == ["Status", "Measured", "Context", "Decision", "Given up"]
    (title,) = re.findall(r"(?m)^# \d+\. (.+)$", decision.read_text())
    status = re.search(r"\*\*Status\.\*\* (.+?)\n\n", decision.read_text(), re.DOTALL)[1]
    decided = re.search(r"[Aa]ccepted,?\s+(?:on\s+)?(\d{4}-\d\d-\d\d)", status)[1]
    row = f"| [{decision.name[:4]}]({decision.name}) | {title} | {decided} | {status.split()[0].strip(',').lower()} |"
    assert row in (decision.parent / "README.md").read_text().splitlines()


def test_the_design_has_the_layers_that_the_linter_checks():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [one["layers"] for one in contracts if one.get("containers") == ["headrace.learning"]]
    drawn = "\n".join(layer.replace(" | ", ", ") for layer in layers)
    assert f"```\n{drawn}\n```" in (ROOT / "docs" / "design.md").read_text()


def test_the_mutants_that_the_guarantees_name_are_in_the_tests():
    text = (ROOT / "docs" / "guarantees.md").read_text()
    told = [paragraph for paragraph in text.split("\n\n") if paragraph.startswith("**Mutant")]
    names = {name for paragraph in told for name in re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]*)*|test_\w+)`", paragraph)}
    code = "".join(path.read_text() for path in tracked("tests/*.py"))
    assert len(names) > 10
    assert [name for name in names if not re.search(rf"\b(?:class|def) {name}\b", code)] == []

"""The tables that documents print from the code are what the code says, and leave nothing out."""

import ast
import doctest
import importlib.util
import re
import sys

import msgspec
import pytest
from harness import ROOT

from headrace.app.cli import COMMANDS
from headrace.app.environment import ENVIRONMENT
from headrace.learning.codes import ALERTS, ERRORS, REFUSALS
from headrace.learning.commands import COMMANDS as CONTROLS
from headrace.learning.drift import DETECTORS
from headrace.learning.metrics import METRICS
from headrace.learning.models import MODELS
from headrace.learning.task import Stored, Task
from headrace.learning.task.source import Source
from headrace.tables.kafka.topics import TOPICS, topics_of

spec = importlib.util.spec_from_file_location("reference", ROOT / "deploy" / "reference.py")
reference = importlib.util.module_from_spec(spec)
sys.modules["reference"] = reference
spec.loader.exec_module(reference)

DOCUMENT = reference.DOCUMENT.read_text()


@pytest.mark.parametrize("document", reference.PRINTED, ids=lambda document: document.name)
def test_a_document_has_what_is_printed(document):
    text = document.read_text()
    assert reference.fill(text, reference.PRINTED[document]) == text, "run: make reference"


@pytest.mark.parametrize(
    "row",
    [
        "| `batch_full` | ",
        "| `datadir` | ",
        "| `<task>.events` | ",
        "| 409 | `not_yet` | ",
        "| `--pack ROWS` | ",
        "| `arf` | ",
    ],
)
def test_a_row_that_the_code_does_not_have_is_noticed(row):
    assert DOCUMENT.count("\n" + row) == 1
    changed = DOCUMENT.replace(row, row + "not ")
    assert reference.fill(changed) == DOCUMENT != changed


@pytest.mark.parametrize(
    "changed",
    [
        DOCUMENT.replace("<!-- table: alerts -->", "<!-- table: alarms -->"),
        DOCUMENT + "\n<!-- table: alerts -->\n<!-- end -->\n",
        "# Reference\n",
    ],
)
def test_a_document_without_each_table_once_is_refused(changed):
    with pytest.raises(ValueError, match="the document has the tables"):
        reference.fill(changed)


@pytest.mark.parametrize("name", reference.SETTINGS)
def test_the_docstring_of_a_struct_of_settings_says_what_each_one_means(name):
    struct = reference.SETTINGS[name]
    said = reference.read_parameters(struct)
    assert list(said) == [name for name in said if name in struct.__struct_fields__]
    assert set(said) == set(struct.__struct_fields__)
    assert [text for text in said.values() if not re.match(r"[A-Z`\"].*\.$", text)] == []


def test_no_table_of_settings_is_left_out():
    """A struct within a struct of settings is a table of its own."""
    printed = set(reference.SETTINGS.values())
    within = {
        part
        for struct in printed
        for field in msgspec.structs.fields(struct)
        for part in re.findall(r"headrace[\w.]+\.(\w+)", str(field.type))
    }
    assert {"Feature", "Stored", "Source", "BrokerTls"} <= within <= {struct.__name__ for struct in printed}


def test_no_environment_variable_is_left_out():
    modules = [module for room in ("app", "agents", "tables", "learning") for module in (ROOT / room).rglob("*.py")]
    words = {
        node.value
        for module in modules
        if module.name != "environment.py"
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {
        word for word in words if re.fullmatch(r"HEADRACE_[A-Z_]+|PYTHONHASHSEED|OTEL_EXPORTER_OTLP_ENDPOINT", word)
    }
    assert named - {"HEADRACE_STATE"} == set(ENVIRONMENT)  # the former is a name in the module of a user's own model


def test_no_topic_is_left_out():
    source = Source(topic="orders", label="paid", id="id")
    task = Task(name="ads", kind="binary", stored={"vip": Stored()}, sources=[source])
    assert {topic.name for topic in topics_of(task)} == {f"ads.{part}" for part in TOPICS}


def test_every_code_is_in_the_document():
    for code in (*REFUSALS, *ALERTS, *ERRORS):
        assert f"\n| `{code}` | " in DOCUMENT


def test_every_command_is_in_the_document():
    for name, row in COMMANDS.items():
        assert (f"\n### `headrace {name}`\n" in DOCUMENT) == bool(row.summary)


def test_every_name_of_a_catalogue_is_in_the_document():
    for name in (*MODELS, *METRICS, *DETECTORS, *CONTROLS):
        assert f"\n| `{name}` | " in DOCUMENT


def test_every_module_is_on_the_map_and_says_what_it_is():
    rows = reference.MAP.read_text().splitlines()
    for room in ("app", "agents", "tables", "learning"):
        for module in (ROOT / room).rglob("*.py"):
            name = module.relative_to(ROOT)
            assert [row for row in rows if re.match(rf"\| `{re.escape(str(name))}` \| \S", row)], name


def test_a_section_that_is_not_there_is_refused():
    assert (
        reference.link_sections('See "Memory" in docs/how-to/capacity.md.')
        == "See [Memory](how-to/capacity.md#memory)."
    )
    with pytest.raises(ValueError, match="has no section 'Memories'"):
        reference.link_sections('See "Memories" in docs/how-to/capacity.md.')


def test_its_examples_hold():
    tried = doctest.testmod(reference)
    assert (tried.failed, tried.attempted >= 4) == (0, True)

"""Every code has one row of a table, and every row is a code that the source makes."""

import ast
from typing import Literal

import pytest
from harness import ROOT

from headrace.learning.codes import ALERTS, ERRORS, REFUSALS, Meaning, check_rows
from headrace.learning.errors import HeadraceError
from headrace.learning.records import Reader, Refused
from headrace.learning.task import Task

TABLES = {"refusals": REFUSALS, "alerts": ALERTS, "errors": ERRORS}
ROOMS = ("learning", "tables", "agents", "app")


def words_of_the_source():
    """Every string that stands in a module of the product, but for the one that has the tables."""
    modules = [module for room in ROOMS for module in (ROOT / room).rglob("*.py") if module.name != "codes.py"]
    assert len(modules) > 100
    return {
        node.value
        for module in modules
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize("name", TABLES)
def test_every_row_is_made_somewhere(name):
    assert set(TABLES[name]) - words_of_the_source() == set()


@pytest.mark.parametrize("name", TABLES)
def test_every_row_has_a_sentence_and_a_remedy(name):
    for code, meaning in TABLES[name].items():
        for text in meaning:
            assert text.endswith("."), code
            assert not text[0].islower(), code


@pytest.mark.parametrize("rows", [["dry"], ["dry", "snowy", "wet"], ["wet", "dry"]])
def test_a_table_needs_a_row_for_each_word_of_its_type_and_no_other(rows):
    check_rows(Literal["wet", "dry"], dict.fromkeys(["dry", "wet"], Meaning("It is so.", "Wait.")))
    with pytest.raises(TypeError, match="a table of codes has rows for"):
        check_rows(Literal["wet", "dry"], dict.fromkeys(rows, Meaning("It is so.", "Wait.")))


def test_an_error_without_a_row_is_refused_at_import():
    with pytest.raises(TypeError, match="FloodError: the code 'flood' has no row in ERRORS"):

        class FloodError(HeadraceError):
            code = "flood"


def test_a_record_is_refused_with_a_code_of_the_table():
    lines = {
        b"": "empty",
        b"{": "not_json",
        b"[]": "not_an_object",
        b"{}": "incomplete",
        b'{"id": 1, "label": true}': "shape",
        b'{"id": "a", "id": "a"}': "duplicate_key",
        b'{"id": "a", "label": 3}': "label",
        b'{"id": "a", "features": {"x": null}}': "feature",
        b'{"id": "a", "features": {"x": 1, "y": 2}}': "too_many_features",
        b"{}\n" * 2000: "too_many_rows",
    }
    reader = Reader(Task(name="ads", kind="binary", feature_limit=1))
    for line, code in lines.items():
        (refused,) = reader.read(line)
        assert isinstance(refused, Refused)
        assert refused.code == code
        assert code in REFUSALS

"""Every refusal of a request has a row of the table, every row is used, and the OpenAPI document shows the rows."""

import ast
from typing import Literal, get_args

import msgspec
import pytest
from harness import ROOT

from headrace.app.contract import operations
from headrace.app.errors import ROUTING, STATUSES, Problem
from headrace.app.openapi import write_document
from headrace.app.problems import OF_RECORDS, PROBLEMS, check_problems, codes_of
from headrace.app.serving.owners import PASSED_ON
from headrace.app.serving.refused import Kind
from headrace.app.views import ROUTES
from headrace.learning.records import Reader, Refused
from headrace.learning.task import Feature, Task

CODES = {code for _, code in PROBLEMS}


def calls(room, name):
    """Yield the constant arguments of every call of this name in a package, at their places, with None for all others."""
    for module in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield [part.value if isinstance(part, ast.Constant) else None for part in node.args]


REFUSED = [(STATUSES[kind], code) for kind, code, *_ in calls("app/serving", "RequestRefused") if kind is not None]
"""Status and code of every refusal that the core of answering makes; a code is None where it is not written at its place."""

MADE = [(status, code) for status, code, *_ in calls("app", "Problem") if isinstance(status, int)] + REFUSED
"""The same of every problem that the app makes."""


REFUSED_RECORDS = [
    ('{"a": 1, "a": 2}', "duplicate_key"),
    ('{"features": {"x": []}}', "feature"),
    ('{"features": {"x": 1}}', "incomplete"),
    ('{"id": "a", "label": 3}', "label"),
    ("[]", "not_an_object"),
    ("{", "not_json"),
    ('{"features": {"y": 1}, "label": true}', "record"),
    ('{"features": {"x": 1}, "label": true, "z": 1}', "shape"),
    ('{"features": {"x": 1, "y": 1}, "label": true}', "too_many_features"),
]


def test_every_problem_has_a_row():
    assert len(MADE) > 50
    assert len(REFUSED) > 15
    assert {(status, code) for status, code in MADE if code} - set(PROBLEMS) == set()
    assert {status for status, _ in MADE} == {status for status, _ in PROBLEMS} - set(ROUTING) | {404}


def test_every_row_is_made():
    of_records = {(422, code) for code in OF_RECORDS}
    assert set(PROBLEMS) - set(MADE) - of_records - set(ROUTING.items()) == set()


def test_every_kind_of_refusal_has_a_status_of_its_own_and_one_that_is_passed_on_keeps_it():
    assert set(STATUSES) == set(get_args(Kind))
    assert len(set(STATUSES.values())) == len(STATUSES)
    assert {status: STATUSES[kind] for status, kind in PASSED_ON.items()} == {status: status for status in PASSED_ON}


def test_codes_of_answers_over_kafka_are_those_of_requests():
    made = [code for room in ("app", "agents") for _, code, *_ in calls(room, "refusal") if code]
    assert {"too_many", "too_large", "defect"} <= set(made) <= CODES


@pytest.mark.parametrize(("line", "code"), REFUSED_RECORDS)
def test_a_record_that_is_refused_at_once_has_a_row(line, code):
    declared = {"x": Feature()} if code == "record" else None
    (refused,) = Reader(Task(name="ads", kind="binary", feature_limit=1, features=declared)).read(line.encode())
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert code in codes_of(422)


def test_every_code_of_records_is_among_those():
    assert {code for _, code in REFUSED_RECORDS} | {"control"} == set(OF_RECORDS)


def test_a_code_without_a_row_is_refused_at_import():
    check_problems(Literal["body"], PROBLEMS)
    with pytest.raises(TypeError, match="the table of problems has no row for bodyy"):
        check_problems(Literal["bodyy"], PROBLEMS)


def test_every_row_has_a_sentence_and_a_remedy():
    assert [row for row, meaning in PROBLEMS.items() for text in meaning if not text.endswith(".")] == []
    assert list(PROBLEMS) == sorted(PROBLEMS)


def test_the_openapi_document_shows_the_rows():
    document = write_document(operations(ROUTES), [Task(name="ads", kind="binary")], has_keys=True)
    assert set(document["components"]["schemas"]["ProblemDocument"]["properties"]["code"]["enum"]) == CODES
    shown = {
        (int(status), response["description"])
        for path in document["paths"].values()
        for operation in path.values()
        for status, response in operation["responses"].items()
        if int(status) >= 400
    }
    assert len(shown) >= 9
    for status, description in shown:
        for code, meaning in codes_of(status).items():
            assert f"- `{code}`: {meaning.sentence} {meaning.remedy}" in description
        assert description.count("\n- ") == len(codes_of(status))


def test_a_problem_document_has_the_code_of_the_problem():
    body = msgspec.json.decode(Problem(409, "not_yet", "it is not.", "Wait.").response().body)
    assert (body["status"], body["code"]) == (409, "not_yet")

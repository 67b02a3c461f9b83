"""The OpenAPI document has every route and only these, with their parameters, answers and problems."""

import hashlib
import json
import re
from pathlib import Path

import msgspec
import pytest

from headrace.app.contract import contract, operations
from headrace.app.keys import ROLES
from headrace.app.openapi import write_document
from headrace.app.settings import parse
from headrace.app.views import ROUTES
from headrace.app.views.resource import Resource
from headrace.app.worker import wire

TASKS = {
    "ads": {"kind": "binary"},
    "shop": {
        "kind": "multiclass",
        "labels": ["a", "b", "3"],
        "features": {
            "long url": {"type": "float", "min": 0, "max": 1},
            "country": {"type": "string", "values": ["PT", "DE"]},
            "clicks": {"type": "int", "min": 0, "optional": True},
        },
    },
}


def settings(folder="."):
    return parse({"tasks": TASKS}, Path(folder) / "headrace.toml")


def written(has_keys=True):
    return write_document(operations(ROUTES), settings().tasks.values(), has_keys=has_keys)


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    app = wire(settings(tmp_path_factory.mktemp("openapi")), None).app
    return [(route.method, route.resource.canonical) for route in app.web.web_app.router.routes() if route.resource]


def missing(routes, document):
    """Return the routes that a document lacks."""
    documented = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    return [
        (method, path)
        for method, canonical in routes
        for path in {canonical.replace("{task}", task) for task in TASKS}
        if method != "HEAD" and (method, path) not in documented
    ]


def test_every_route_that_answers_is_in_the_document(router):
    assert len(router) > len(ROUTES)
    assert missing(router, written()) == []


def test_a_route_that_is_left_out_is_noticed(router):
    for path in ROUTES:
        document = write_document(
            operations({p: v for p, v in ROUTES.items() if p != path}), settings().tasks.values(), has_keys=False
        )
        assert missing(router, document)


def test_every_path_of_the_document_is_routed(router):
    routed = {(method, canonical.replace("{task}", task)) for method, canonical in router for task in TASKS}
    documented = {(method.upper(), path) for path, item in written()["paths"].items() for method in item}
    assert documented <= routed


def test_a_view_without_a_contract_is_refused():
    class Silent(Resource):
        async def get(self, request):
            return self.answer({})

    with pytest.raises(TypeError, match=r"Silent\.get has no contract"):
        list(operations({"/silent": Silent}))


def test_a_new_view_documents_itself():
    class Stored(msgspec.Struct):
        value: float

    class Feature(Resource):
        @contract(role="feedback", takes=Stored, gives=Stored, problems=(404,), parameters={"fresh": bool})
        async def put(self, request, task, key):
            """Keep a value."""

    document = write_document(
        operations({"/v1/{task}/features/{key}": Feature}), settings().tasks.values(), has_keys=True
    )
    assert set(document["paths"]) == {"/v1/ads/features/{key}", "/v1/shop/features/{key}"}
    put = document["paths"]["/v1/ads/features/{key}"]["put"]
    assert [(p["name"], p["in"], p["required"]) for p in put["parameters"]] == [
        ("key", "path", True),
        ("fresh", "query", False),
    ]
    assert set(put["responses"]) == {"200", "400", "401", "403", "404", "408", "413", "415", "429"}
    assert put["summary"] == "Keep a value."
    assert document["components"]["schemas"]["Stored"]["properties"] == {"value": {"type": "number"}}


def test_everything_that_is_referred_to_is_there():
    document = written()
    text = json.dumps(document)
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(document["components"]["schemas"])
    assert "x-of-task" not in json.dumps(document["paths"])


def test_a_pattern_means_the_same_to_clients_of_other_languages():
    """JavaScript, whose patterns a schema has, knows no \\Z, and takes it for a Z."""
    patterns = re.findall(r'"pattern": "(.*?)"', json.dumps(written()))
    assert patterns
    assert not [pattern for pattern in patterns if r"\\Z" in pattern]


def test_declared_features_and_labels_are_the_tasks_own():
    schemas = written()["components"]["schemas"]
    features = schemas["Question.shop"]["properties"]["features"]
    assert features["required"] == ["long url", "country"]
    assert features["additionalProperties"] is False
    assert features["properties"]["country"]["enum"] == ["PT", "DE"]
    assert (features["properties"]["long url"]["minimum"], features["properties"]["long url"]["maximum"]) == (0, 1)
    assert schemas["Sample.shop"]["properties"]["label"] == {"enum": ["a", "b", "3"]}
    assert schemas["Sample.ads"]["properties"]["label"] == {"type": "boolean"}
    assert "properties" not in schemas["Question.ads"]["properties"]["features"]


def test_without_keys_nothing_is_said_of_them():
    assert "securitySchemes" not in written(has_keys=False)["components"]
    assert '"401"' not in json.dumps(written(has_keys=False))
    document = written(has_keys=True)
    assert document["paths"]["/healthz"]["get"]["security"] == []
    assert document["paths"]["/v1/ads"]["get"]["security"] == [{"bearer": []}, {"key": []}]


def test_only_health_and_the_empty_page_are_open():
    roles = {one.path: one.contract.role for one in operations(ROUTES)}
    page = {"/", "/tasks/{task}", "/page/{digest}/{name}"}
    assert {path for path, role in roles.items() if role is None} == {"/healthz", "/readyz", *page}
    assert {role for role in roles.values() if role} <= set(ROLES)


def test_keys_in_the_settings_reach_the_document(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADRACE_KEYS", f"ops admin {hashlib.sha256(b'secret').hexdigest()}")
    assert "securitySchemes" in wire(settings(tmp_path), None).document["components"]

"""The OpenAPI document, made of the contracts: of the structs that read bodies, and of what each task declares."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import Annotated, Any

import msgspec

from headrace.app.contract import OF_TASK, Operation
from headrace.app.errors import ProblemDocument
from headrace.app.problems import codes_of
from headrace.learning.records import LABELS
from headrace.learning.records.schema import CheckedFeatures, Number, Text, Whole
from headrace.learning.records.stored import StoredSchema
from headrace.learning.task import Feature, Json, Task

COMPONENT = "#/components/schemas/"
ANY_TEXT = Annotated[str, msgspec.Meta(min_length=1)]
ADMITTING = (401, 403, 429)
"""Problems of every operation that asks for a role, the first two where there are keys."""

READING = (400, 408, 413, 415)
"""Problems of every operation that takes a body."""

HEADERS: dict[int, dict[str, Json]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}},
}
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def write_document(operations: Iterable[Operation], tasks: Iterable[Task], *, has_keys: bool) -> dict[str, Json]:
    """The document of a worker with these operations: a path for each task, with the features and labels that it declares.

    Parameters
    ----------
    operations
        What there is.
    tasks
        In whose names `{task}` is resolved.
    has_keys
        Whether the worker asks for keys.
    """
    operations, tasks = list(operations), list(tasks)
    types = {id(kind): kind for one in operations for kind in _types(one)}
    schemas, components = msgspec.json.schema_components(types.values(), ref_template=COMPONENT + "{name}")
    writer = Writer(dict(zip(types, schemas, strict=True)), components, has_keys=has_keys)
    paths: dict[str, dict[str, Json]] = {}
    for one in operations:
        for task in tasks if "{task}" in one.path else [None]:
            path = one.path if task is None else one.path.replace("{task}", task.name)
            paths.setdefault(path, {})[one.method] = writer.operation(one, task)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Headrace", "version": version("headrace")},
        "paths": paths,
        "components": {"schemas": writer.components, **({"securitySchemes": SCHEMES} if has_keys else {})},
    }


class Writer:
    """Writes operations.

    Parameters
    ----------
    schemas
        Of the types, by their `id`.
    components
        What the schemas refer to; those that differ by task are added.
    has_keys
        Whether the worker asks for keys.
    """

    def __init__(self, schemas: dict[int, dict[str, Json]], components: dict[str, Json], *, has_keys: bool):
        self.schemas, self.components, self.has_keys = schemas, components, has_keys

    def operation(self, one: Operation, task: Task | None) -> dict[str, Json]:
        """One operation, of a task or of none."""
        said = one.contract
        responses = {str(said.status): self._response(HTTPStatus(said.status).phrase, said.gives, task)}
        for status in sorted(problems_of(one, has_keys=self.has_keys)):
            answer = self._response(describe_problems(status), ProblemDocument, task, "application/problem+json")
            responses[str(status)] = answer | ({"headers": HEADERS[status]} if status in HEADERS else {})
        written: dict[str, Json] = {
            "operationId": f"{one.view}.{one.method}" + (f".{task.name}" if task else ""),
            "summary": one.summary,
            "responses": responses,
        }
        if parameters := self._parameters(one):
            written["parameters"] = parameters
        if said.takes is not None:
            content = {"application/json": {"schema": self._schema(said.takes, task)}}
            written["requestBody"] = {"required": True, "content": content}
        if self.has_keys:
            written["security"] = [] if said.role is None else [{name: []} for name in SCHEMES]
            if said.role is not None:
                written["description"] = f"Takes the role `{said.role}`."
        return written

    def _parameters(self, one: Operation) -> list[dict[str, Json]]:
        within = [name for name in re.findall(r"{(\w+)}", one.path) if name != "task"]
        types = {name: one.contract.parameters.get(name, ANY_TEXT) for name in within} | dict(one.contract.parameters)
        return [
            {
                "name": name,
                "in": "path" if name in within else "query",
                "required": name in within,
                "schema": self._schema(kind, None),
            }
            for name, kind in types.items()
        ]

    def _response(self, phrase: str, gives: Any, task: Task | None, media: str = "application/json") -> dict[str, Json]:
        return {"description": phrase, "content": {media: {"schema": self._schema(gives, task)}}}

    def _schema(self, kind: Any, task: Task | None) -> Json:
        schema = self.schemas[id(kind)]
        return schema if task is None else self._of_task(schema, task)

    def _of_task(self, node: Json, task: Task) -> Json:
        """A schema with what the task declares in the marked places; a component that has such a place gets a copy for the task."""
        if isinstance(node, list):
            return [self._of_task(part, task) for part in node]
        if not isinstance(node, dict):
            return node
        if OF_TASK in node:
            return SCHEMAS[node[OF_TASK]](task)
        if "$ref" in node:
            name = node["$ref"].removeprefix(COMPONENT)
            special = self._of_task(self.components[name], task)
            if special == self.components[name]:
                return node
            self.components[f"{name}.{task.name}"] = special
            return {"$ref": f"{COMPONENT}{name}.{task.name}"}
        return {key: self._of_task(part, task) for key, part in node.items()}


def problems_of(one: Operation, *, has_keys: bool) -> set[int]:
    """Collect the statuses of the problems that an operation may answer with, those of the doors included."""
    said = one.contract
    admitting = ADMITTING if has_keys else ADMITTING[2:]
    return {*said.problems, *(admitting if said.role else ()), *(READING if said.takes is not None else ())}


def describe_problems(status: int) -> str:
    """Describe the problems of a status: its phrase, and a line for each code that they may have.

    Examples
    --------
    >>> print(describe_problems(415))
    Unsupported Media Type
    <BLANKLINE>
    - `encoding`: The body is packed with something other than gzip or deflate. Send one of these, or the body as it is.
    """
    lines = [f"- `{code}`: {meaning.sentence} {meaning.remedy}" for code, meaning in codes_of(status).items()]
    return "\n".join([HTTPStatus(status).phrase, "", *lines])


def _types(one: Operation) -> list[Any]:
    takes = [] if one.contract.takes is None else [one.contract.takes]
    return [one.contract.gives, ProblemDocument, ANY_TEXT, *takes, *one.contract.parameters.values()]


def features_schema(task: Task) -> dict[str, Json]:
    """What a task takes as features: what it declares, or any.

    Examples
    --------
    >>> features_schema(Task(name="ads", kind="binary", features={"shown": Feature(type="bool", optional=True)}))
    {'type': 'object', 'properties': {'shown': {'type': 'boolean'}}, 'required': [], 'additionalProperties': False}
    """
    if task.features is None:
        return msgspec.json.schema(CheckedFeatures)
    return {
        "type": "object",
        "properties": {name: feature_schema(feature) for name, feature in task.features.items()},
        "required": [
            name for name, feature in task.features.items() if not feature.optional and name not in (task.stored or {})
        ],
        "additionalProperties": False,
    }


def stored_schema(task: Task) -> dict[str, Json]:
    """What a task takes as the stored features of an entity; null is as one left out. Without any there is no such entity.

    Examples
    --------
    >>> from headrace.learning.task import Stored
    >>> stored_schema(Task(name="ads", kind="binary", stored={"vip": Stored(default=False)}))["properties"]
    {'vip': {'anyOf': [{'type': 'boolean'}, {'type': 'null'}]}}
    """
    values = {
        name: feature_schema(feature)
        if feature
        else {"anyOf": [msgspec.json.schema(kind) for kind in (bool, Whole, Number, Text)]}
        for name, feature in StoredSchema(task).expected.items()
    }
    return {
        "type": "object",
        "properties": {name: {"anyOf": [schema, {"type": "null"}]} for name, schema in values.items()},
        "additionalProperties": False,
    }


def feature_schema(feature: Feature) -> dict[str, Json]:
    """The values that a declared feature may have."""
    schema = msgspec.json.schema({"float": Number, "int": Whole, "bool": bool, "string": Text}[feature.type])
    bounds = {"minimum": feature.min, "maximum": feature.max, "enum": feature.values}
    return schema | {name: bound for name, bound in bounds.items() if bound is not None}


def label_schema(task: Task) -> dict[str, Json]:
    """The labels of a task."""
    return {"enum": task.labels} if task.labels is not None else msgspec.json.schema(LABELS[task.kind])


SCHEMAS = {"features": features_schema, "label": label_schema, "stored": stored_schema}
"""What stands in the document in a marked place."""

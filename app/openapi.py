"""Makes the OpenAPI document of a worker from the contracts of its views and the declarations of its tasks."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import Annotated, Any

import msgspec

from headrace.app.contract import OF_TASK, Operation
from headrace.app.errors import ProblemDocument
from headrace.app.problems import codes_of
from headrace.learning.metrics import METRICS
from headrace.learning.records import LABELS
from headrace.learning.records.schema import CheckedFeatures, Number, Text, Whole
from headrace.learning.records.stored import StoredSchema
from headrace.learning.task import Feature, Json, Task

COMPONENT = "#/components/schemas/"
ANY_TEXT = Annotated[str, msgspec.Meta(min_length=1)]
ADMITTING = (401, 403, 429)
"""The statuses of problems of every operation that needs a role; 401 and 403 only if there are keys."""

READING = (400, 408, 413, 415)
"""The statuses of problems of every operation that takes a body."""

HEADERS: dict[int, dict[str, Json]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}},
}
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def write_document(operations: Iterable[Operation], tasks: Iterable[Task], *, has_keys: bool) -> dict[str, Json]:
    """Make the OpenAPI document of a worker: a path for each operation and task, with the features and labels that the task declares.

    Parameters
    ----------
    operations
        The operations of the worker.
    tasks
        The tasks. Their names replace `{task}` in paths.
    has_keys
        Whether the worker asks for API keys.
    """
    operations, tasks = list(operations), list(tasks)
    types = {id(type_): type_ for operation in operations for type_ in _types(operation)}
    schemas, components = msgspec.json.schema_components(types.values(), ref_template=COMPONENT + "{name}")
    writer = Writer(dict(zip(types, schemas, strict=True)), components, has_keys=has_keys)
    paths: dict[str, dict[str, Json]] = {}
    for operation in operations:
        for task in tasks if "{task}" in operation.path else [None]:
            path = operation.path if task is None else operation.path.replace("{task}", task.name)
            paths.setdefault(path, {})[operation.method] = writer.describe(operation, task)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Headrace", "version": version("headrace")},
        "paths": paths,
        "components": {"schemas": writer.components, **({"securitySchemes": SCHEMES} if has_keys else {})},
    }


class Writer:
    """Writes the descriptions of operations.

    Parameters
    ----------
    schemas
        The schemas of the types, by the Python `id` of the type.
    components
        The schemas to which `schemas` refer by name. The writer adds components that differ between tasks.
    has_keys
        Whether the worker asks for API keys.
    """

    def __init__(self, schemas: dict[int, dict[str, Json]], components: dict[str, Json], *, has_keys: bool):
        self.schemas, self.components, self.has_keys = schemas, components, has_keys

    def describe(self, operation: Operation, task: Task | None) -> dict[str, Json]:
        """Describe an operation of a task, or of none."""
        contract = operation.contract
        phrase = HTTPStatus(contract.status).phrase
        responses = {str(contract.status): self._response(phrase, contract.gives, task, contract.media)}
        for status in sorted(problems_of(operation, has_keys=self.has_keys)):
            answer = self._response(describe_problems(status), ProblemDocument, task, "application/problem+json")
            responses[str(status)] = answer | ({"headers": HEADERS[status]} if status in HEADERS else {})
        described: dict[str, Json] = {
            "operationId": f"{operation.view}.{operation.method}" + (f".{task.name}" if task else ""),
            "summary": operation.summary,
            "responses": responses,
        }
        if parameters := self._parameters(operation, task):
            described["parameters"] = parameters
        if contract.takes is not None:
            content = {"application/json": {"schema": self._schema(contract.takes, task)}}
            described["requestBody"] = {"required": True, "content": content}
        if self.has_keys:
            described["security"] = [] if contract.role is None else [{name: []} for name in SCHEMES]
            if contract.role is not None:
                described["description"] = f"Takes the role `{contract.role}`."
        return described

    def _parameters(self, operation: Operation, task: Task | None) -> list[dict[str, Json]]:
        parameters = operation.contract.parameters
        in_path = [name for name in re.findall(r"{(\w+)}", operation.path) if name != "task"]
        types = {name: parameters.get(name, ANY_TEXT) for name in in_path} | dict(parameters)
        return [
            {
                "name": name,
                "in": "path" if name in in_path else "query",
                "required": name in in_path,
                "schema": self._schema(type_, task),
            }
            for name, type_ in types.items()
        ]

    def _response(self, phrase: str, gives: Any, task: Task | None, media: str) -> dict[str, Json]:
        return {"description": phrase, "content": {media: {"schema": self._schema(gives, task)}}}

    def _schema(self, type_: Any, task: Task | None) -> Json:
        schema = self.schemas[id(type_)]
        return schema if task is None else self._of_task(schema, task)

    def _of_task(self, node: Json, task: Task) -> Json:
        """Replace the marked parts of a schema with the declarations of a task. A component with a marked part gets a copy for the task."""
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
        made = {key: self._of_task(part, task) for key, part in node.items()}
        if task.kind == "anomaly" and {"features", "label"} <= {*made.get("required", ())}:
            made["required"] = [name for name in made["required"] if name != "label"]
        return made


def problems_of(operation: Operation, *, has_keys: bool) -> set[int]:
    """Return the statuses of all problems of an operation, including those of the doors."""
    contract = operation.contract
    admitting = ADMITTING if has_keys else ADMITTING[2:]
    return {*contract.problems, *(admitting if contract.role else ()), *(READING if contract.takes is not None else ())}


def describe_problems(status: int) -> str:
    """Describe the problems of a status: its phrase, and a line for each code that they may have.

    Examples
    --------
    >>> print(describe_problems(415))
    Unsupported Media Type
    <BLANKLINE>
    - `encoding`: The body is compressed, but not with gzip or deflate. Compress it with one of these, or not at all.
    """
    lines = [f"- `{code}`: {meaning.sentence} {meaning.remedy}" for code, meaning in codes_of(status).items()]
    return "\n".join([HTTPStatus(status).phrase, "", *lines])


def _types(operation: Operation) -> list[Any]:
    contract = operation.contract
    takes = [] if contract.takes is None else [contract.takes]
    return [contract.gives, ProblemDocument, ANY_TEXT, *takes, *contract.parameters.values()]


def features_schema(task: Task) -> dict[str, Json]:
    """Return the schema of a task's features: the declared ones, or any.

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
    """Return the schema of an entity's stored features. A null counts as a missing feature.

    Examples
    --------
    >>> from headrace.learning.task import Stored
    >>> stored_schema(Task(name="ads", kind="binary", stored={"vip": Stored(default=False)}))["properties"]
    {'vip': {'anyOf': [{'type': 'boolean'}, {'type': 'null'}]}}
    """
    values = {
        name: feature_schema(feature)
        if feature
        else {"anyOf": [msgspec.json.schema(type_) for type_ in (bool, Whole, Number, Text)]}
        for name, feature in StoredSchema(task).expected.items()
    }
    return {
        "type": "object",
        "properties": {name: {"anyOf": [schema, {"type": "null"}]} for name, schema in values.items()},
        "additionalProperties": False,
    }


def feature_schema(feature: Feature) -> dict[str, Json]:
    """Return the schema of a declared feature."""
    schema = msgspec.json.schema({"float": Number, "int": Whole, "bool": bool, "string": Text}[feature.type])
    bounds = {"minimum": feature.min, "maximum": feature.max, "enum": feature.values}
    return schema | {name: bound for name, bound in bounds.items() if bound is not None}


def label_schema(task: Task) -> dict[str, Json]:
    """Return the schema of a task's labels."""
    return {"enum": task.labels} if task.labels is not None else msgspec.json.schema(LABELS[task.kind])


def metric_schema(task: Task) -> dict[str, Json]:
    """Return the schema of the name of a metric.

    Examples
    --------
    >>> metric_schema(Task(name="amounts", kind="regression"))
    {'enum': ['mae', 'rmse', 'r2', 'quantile_loss']}
    """
    return {"enum": list(METRICS.of_kind(task.kind))}


SCHEMAS = {"features": features_schema, "label": label_schema, "stored": stored_schema, "metric": metric_schema}
"""The functions that make the schemas for the marked parts of a document."""

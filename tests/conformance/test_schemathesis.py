"""schemathesis against a running worker, with all of its checks: no 5xx, and no answer that the OpenAPI document does not have."""

import hashlib
import json
import re
import subprocess
import sys
import uuid

import harness
import pytest
from thorough import IS_THOROUGH, some

SECRET = "for-all"
SEED = 7
EXAMPLES = some(60, of=10)
# Beside those that it expects by itself: what is wrong may be too large as well.
CONFIG = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5xx"]
"""
ST = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"]
TASK = f"conforms-{uuid.uuid4().hex[:8]}"
# No feature is declared as `int`: for JSON Schema 1.0 is a whole number too, and a worker takes 1 only.
TOML = f"""
[tasks.{TASK}]
kind = "binary"
[tasks.{TASK}-declared]
kind = "multiclass"
labels = ["a", "b", "3"]
[tasks.{TASK}-declared.features]
"long url" = {{ type = "float", min = 0, max = 1 }}
country = {{ type = "string", values = ["PT", "DE"] }}
clicks = {{ type = "float", min = -5, optional = true }}
new = {{ type = "bool", optional = true }}
[tasks.{TASK}-declared.stored]
clicks = {{ default = 0 }}
[tasks.{TASK}-number]
kind = "regression"
partitions = 2
order = "event_time"
lateness = "10s"
update = {{ batch = 4, every = "1s" }}
"""


@pytest.fixture(scope="module")
def start(broker, tmp_path_factory):
    """Starts workers: `start(tasks, line of [worker])`."""
    workers = []

    def start(tasks, line=""):
        folder = tmp_path_factory.mktemp("conforms")
        folder.joinpath("keys").write_text(f"all admin {hashlib.sha256(SECRET.encode()).hexdigest()}")
        workers.append(harness.Worker(folder, broker, tasks, worker=line).start())
        return workers[-1].wait_ready()

    yield start
    for worker in workers:
        worker.stop("SIGKILL")


@pytest.fixture(scope="module")
def worker(start):
    return start(TOML)


def schemathesis(worker, folder, document, examples, phases="coverage,fuzzing", headers=()):
    """Its exit status and what it says of the worker, judged by a document."""
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "schemathesis.toml").write_text(CONFIG)
    command = [*ST, "openapi.json", "--url", worker.address, "-H", f"Authorization: Bearer {SECRET}", "--no-color"]
    command += [part for name, value in headers for part in ("-H", f"{name}: {value}")]
    command += ["--phases", phases, "--max-examples", str(examples)]
    command += ["--seed", str(SEED), "--generation-database", "none"]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, timeout=900)
    return ran.returncode, re.sub(r"(.{1000}).+(.{1000})", r"\1 ... \2", ran.stdout + ran.stderr)


def document_of(worker, *, waits=False):
    """What the worker says of itself, with or without `min_position`: one asked for by chance lies ahead, and the request waits for it."""
    document = harness.HTTP.get(f"{worker.address}/openapi.json", headers={"X-API-Key": SECRET}).json()
    for schema in document["components"]["schemas"].values():
        if not waits:
            schema.get("properties", {}).pop("min_position", None)
    # What control records say is up to the task that they are for, and those that are right would change it.
    # The live feed has no end. Which files the page has is no part of the document.
    left_out = ("/control", "/live", "/page/{digest}/{name}")
    document["paths"] = {path: item for path, item in document["paths"].items() if not path.endswith(left_out)}
    if not IS_THOROUGH:  # of the other tasks, whose answers are alike, only what differs in what it takes
        document["paths"] = {path: item for path, item in document["paths"].items() if differs(path, item)}
    return document


def differs(path, item):
    """Whether a path is not of the second or third task, or one of its operations has a body."""
    is_other = re.search(rf"/{TASK}(-guarded)?-(declared|number)\b", path)
    return not is_other or any("requestBody" in operation for operation in item.values())


def test_every_answer_is_in_the_document_and_none_is_a_defect(worker, tmp_path):
    status, told = schemathesis(worker, tmp_path, document_of(worker), EXAMPLES)
    assert status == 0, told[-5000:]
    assert int(re.search(r"(\d+) generated", told)[1]) > 1000, told[-2000:]
    assert worker.process.poll() is None
    assert worker.failures() == []


def test_the_ordinary_way_of_answering_questions_keeps_to_the_document_too(worker, tmp_path):
    document = document_of(worker)
    document["paths"] = {path: item for path, item in document["paths"].items() if "/predict" in path}
    status, told = schemathesis(worker, tmp_path, document, EXAMPLES, headers=[harness.ORDINARY_WAY])
    assert status == 0, told[-5000:]
    assert worker.failures() == []


def test_a_position_that_may_lie_ahead_is_answered_as_the_document_says(worker, tmp_path):
    document, path = document_of(worker, waits=True), f"/v1/{TASK}/predict"
    document["paths"] = {path: document["paths"][path]}
    assert "min_position" in json.dumps(document["components"]["schemas"])
    status, told = schemathesis(worker, tmp_path, document, some(20))
    assert status == 0, told[-5000:]
    assert worker.failures() == []


def test_no_operation_ignores_that_it_asks_for_a_key(start, tmp_path):
    guarded = start(TOML.replace(TASK, f"{TASK}-guarded"), "keys_file = 'keys'")
    document = document_of(guarded)
    # With two ways to show a key, schemathesis shows one in both at once, which is refused.
    document["components"]["securitySchemes"].pop("key")
    for item in document["paths"].values():
        for operation in item.values():
            operation["security"] = [scheme for scheme in operation["security"] if "key" not in scheme]
    phases = "coverage,fuzzing" if IS_THOROUGH else "fuzzing"  # each operation is asked without a key in both
    status, told = schemathesis(guarded, tmp_path, document, some(10, of=5), phases)
    assert status == 0, told[-5000:]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda said: said["responses"].pop("422"), "Undocumented status code"),
        (
            lambda said: said["responses"]["200"].update(content={"application/json": {"schema": {"type": "array"}}}),
            "violates schema",
        ),
        (
            lambda said: said["requestBody"]["content"]["application/json"].update(schema={"type": "object"}),
            "Schema-valid request rejected",
        ),
    ],
)
def test_an_answer_that_the_document_lacks_is_noticed(worker, tmp_path, change, said):
    document, path = document_of(worker), f"/v1/{TASK}/predict"
    document["paths"] = {path: document["paths"][path]}
    change(document["paths"][path]["post"])
    status, told = schemathesis(worker, tmp_path, document, 10)
    assert status == 1, told[-3000:]
    assert said in told

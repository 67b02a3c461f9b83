"""One broker for all tests of a session: real Kafka where it can be run."""

import os
import sys
from pathlib import Path

import harness
import pytest
import structlog
import zstandard
from s3_server import new_bucket, serving_s3
from served import serving

assert os.environ.get("PYTHONHASHSEED") == "0", "run the tests with PYTHONHASHSEED=0: make test"
assert sys.version_info >= (3, 11)

harness.Worker.is_forked = True

# The brokers of the tests live too short for Java's second compiler, which takes half of the CPU time of a start.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")


LONG = (
    "crash/test_short_chaos.py",
    "app/test_rolling_tasks.py",
    "conformance/test_schemathesis.py",
    "app/test_two_workers.py",
    "deploy/test_tutorial.py",
    "app/test_model_check.py",
    "agents/test_ground.py",
    "browser/test_page.py",
    "app/test_demo.py",
    "deploy/test_wheel.py",
    "app/test_cli.py",
    "crash/test_ingest_chaos.py",
    "app/test_additions.py",
    "app/test_versions_over_http.py",
    "deploy/test_stubs.py",
    "agents/test_bad_records_through_kafka.py",
    "crash/test_availability.py",
    "app/test_deleted_log.py",
    "agents/test_requests.py",
    "app/test_go_back.py",
    "app/test_modules_of_models.py",
)
"""The files that take longest, the longest first. They are begun first, so that the three processes of `make test` end at about the same time."""


def pytest_collection_modifyitems(items) -> None:
    """Begin with the long files."""
    ranks = {Path(__file__).parent / name: rank for rank, name in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(item.path, len(LONG)))


def pytest_report_header() -> str:
    if harness.has_kafka():
        return "broker: real Apache Kafka (deploy/kafka/run.sh)"
    return "broker: EMBEDDED (Tansu), because Java or Maven is missing; the guarantees are claimed for real Kafka"


@pytest.fixture(scope="session")
def broker():
    with harness.running_broker() as address:
        yield address


@pytest.fixture(scope="session")
def served(broker, tmp_path_factory):
    """The worker that tests share which only ask over HTTP; `served.py` has its tasks."""
    with serving(broker, tmp_path_factory.mktemp("served")) as worker:
        yield worker


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    """A server that speaks S3."""
    with serving_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3, monkeypatch):
    """A bucket of its own, to which the environment leads: its name."""
    return new_bucket(s3, monkeypatch)


@pytest.fixture(autouse=True)
def log_as_before():
    """A command that a test calls sets up the log to go to that test's own stderr, which is closed when later tests log."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def inflated(monkeypatch):
    """The sizes up to which Zstandard's frames are inflated."""
    sizes = []
    make = zstandard.ZstdDecompressor

    class Decompressor:
        def decompress(self, data, max_output_size):
            sizes.append(max_output_size)
            return make().decompress(data, max_output_size)

    monkeypatch.setattr(zstandard, "ZstdDecompressor", Decompressor)
    return sizes

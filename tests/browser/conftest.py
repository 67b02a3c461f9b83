"""A browser, a worker whose task learns, and what both have said."""

import hashlib
import os
import shutil
import uuid
from pathlib import Path
from types import SimpleNamespace

import harness
import pytest
from unsteady import samples, sizes, sorts

from headrace import Client

CHROMIUM = os.environ.get("HEADRACE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

TASK = """\
[tasks.{name}]
kind = "binary"
model = {{ use = "logistic", learning_rate = 0.1 }}
versions = {{ every = 400 }}
detectors = [{{ use = "evidence", between = 2000 }}, {{ use = "adwin", watch = "features" }}]
"""

MORE = """\
arms.tree.model = "hoeffding_tree"
[tasks.{name}-sorts]
kind = "multiclass"
[tasks.{name}-sizes]
kind = "regression"
[tasks.{name}-empty]
kind = "binary"
[tasks.{name}-sent]
kind = "binary"
partitions = 2
"""
"""An arm that the task has in addition, and tasks of the other kinds."""


def pytest_collection_modifyitems(items):
    """Skip the tests that need a browser where there is none."""
    if CHROMIUM is None:
        reason = "no browser: apt-get install chromium, or set HEADRACE_CHROMIUM"
        for item in items:
            if Path(__file__).parent in item.path.parents and "browser" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window, for one file of tests: while Playwright runs, no other test can run an event loop."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def context(browser):
    """What one user's tabs share: the cache of files, so that a test does not load them again."""
    return browser.new_context()


@pytest.fixture(scope="module")
def learning(broker, tmp_path_factory):
    """A worker with a task that has learned a thousand samples, and tasks of other kinds; and a client of it."""
    name = f"seen-{uuid.uuid4().hex[:8]}"
    worker = harness.Worker(
        tmp_path_factory.mktemp("seen"), broker, (TASK + MORE).format(name=name), instance="one"
    ).start()
    try:
        worker.wait_ready()
        with Client(worker.address) as client:
            for part in range(10, 15):  # of different log times
                client.samples(name, list(samples(200, part)))
            client.samples(f"{name}-sorts", list(sorts(300)))
            client.samples(f"{name}-sizes", list(sizes(300)))
            harness.wait_for(lambda: client.status(name).shards[0].updates == 1_000, 30, "a thousand are learned")
            yield SimpleNamespace(
                worker=worker, client=client, broker=broker, task=name, url=f"{worker.address}/tasks/{name}"
            )
    finally:
        worker.stop("SIGKILL")


SECRETS = {"predict": "grain-of-the-page", "admin": "grain-of-the-mill"}


@pytest.fixture(scope="module")
def guarded(broker, tmp_path_factory):
    """A worker that asks for keys, with a task that has a version."""
    name, folder = f"kept-{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("kept")
    lines = [f"of-{role} {role} {hashlib.sha256(secret.encode()).hexdigest()}" for role, secret in SECRETS.items()]
    (folder / "keys").write_text("\n".join(lines))
    worker = harness.Worker(folder / "worker", broker, TASK.format(name=name), f"keys_file = '{folder}/keys'").start()
    try:
        worker.wait_ready()
        with Client(worker.address, key=SECRETS["admin"]) as client:
            client.samples(name, list(samples(500, 1)))
            harness.wait_for(lambda: client.status(name).shards[0].updates == 500, 30, "all are learned")
        yield SimpleNamespace(worker=worker, task=name, url=f"{worker.address}/tasks/{name}", secrets=SECRETS)
    finally:
        worker.stop("SIGKILL")


@pytest.fixture
def visit(context):
    """Return a function that opens a page, which must meet no error, ask no other server and violate no policy."""
    opened = []

    def open_page(url, expected=()):
        page = context.new_page()
        page.set_viewport_size({"width": 1440, "height": 900})
        page.set_default_timeout(15_000)
        origin = "/".join(url.split("/")[:3]) + "/"
        faults = []
        page.on("console", lambda one: faults.append(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda one: faults.append(one.url) if not one.url.startswith(origin) else None)
        opened.append((page, faults, expected))
        page.goto(url)
        return page

    yield open_page
    for page, faults, expected in opened:
        page.close()
        assert [fault for fault in faults if not any(part in fault for part in expected)] == []


@pytest.fixture
def shots(tmp_path):
    """The folder for pictures: that of HEADRACE_SCREENSHOTS, or the test's own."""
    folder = Path(os.environ.get("HEADRACE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder

"""A real Prometheus for tests, with the settings and the rules of `deploy/prometheus`. It listens on 127.0.0.1 and is gone afterwards."""

import contextlib
import math
import shutil
import subprocess
import time

import harness
import pytest
import yaml

FOLDER = harness.ROOT / "deploy" / "prometheus"

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is missing: apt-get install prometheus"
)


class Prometheus:
    """What a test asks of it.

    Parameters
    ----------
    address
        `http://host:port`.
    """

    def __init__(self, address):
        self.address, self.started = address, time.time()

    def ask(self, path, **parameters):
        """The data at a path of its API."""
        answer = harness.HTTP.post if path.startswith("query") else harness.HTTP.get
        content = {"data": parameters} if path.startswith("query") else {"params": parameters}
        told = answer(f"{self.address}/api/v1/{path}", timeout=30, **content)
        assert told.is_success, (parameters, told.text)
        return told.json()["data"]

    def values(self, expr):
        """All values of an expression since the start, at each second; NaN is none."""
        now = time.time()
        found = self.ask("query_range", query=expr, start=self.started, end=now, step=1)["result"]
        values = [float(value) for series in found for _, value in series["values"]]
        return [value for value in values if not math.isnan(value)]

    def scraped(self):
        """Return how many scrapes have succeeded."""
        found = self.ask("query", query="sum(count_over_time(up[1h]) * up)")["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def wait_scraped(self, times):
        """Wait for so many further scrapes."""
        before = self.scraped()
        harness.wait_for(lambda: self.scraped() >= before + times, 60, f"{times} scrapes")


@contextlib.contextmanager
def scraping(worker, folder):
    """Run it until it scrapes the worker, twice a second, and evaluates the rules."""
    settings = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    settings["global"] = {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}
    (job,) = settings["scrape_configs"]
    job["static_configs"] = [{"targets": [worker.address.removeprefix("http://")]}]
    job.pop("authorization", None)  # the worker of a test asks for no key
    settings["rule_files"] = [str(FOLDER / name) for name in settings["rule_files"]]
    folder.mkdir(parents=True)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    port = harness.free_port()
    arguments = [f"--web.listen-address=127.0.0.1:{port}", f"--config.file={folder / 'prometheus.yml'}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", *arguments, f"--storage.tsdb.path={folder / 'data'}"], stdout=log, stderr=log
        )
    server = Prometheus(f"http://127.0.0.1:{port}")
    try:

        def is_scraping():
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            with contextlib.suppress(harness.httpx.RequestError, AssertionError):
                return server.scraped() > 1
            return False

        harness.wait_for(is_scraping, 60, lambda: (folder / "prometheus.log").read_text()[-2000:])
        yield server
    finally:
        process.kill()
        process.wait()

"""`headrace report`: one HTML file with the figures of a worker, all text escaped, no script, and nothing that is fetched."""

import asyncio
import json
import re
import shutil
import subprocess
import uuid
from html.parser import HTMLParser

import harness
import msgspec
import pytest

from headrace import Client
from headrace.app.answers import StoredSignal
from headrace.app.report.charts import ticks
from headrace.app.report.markup import VOID, Html, el
from headrace.app.report.page import STYLE
from headrace.app.report.run import collect
from headrace.app.report.sections import experiments, over_time
from headrace.learning.task.arms import ARMS_MAX, RESERVED

NAME = f"report-{uuid.uuid4().hex[:8]}"
HOSTILE = "<script>alert(1)</script>\"'&"
TOML = f"""
[tasks.{NAME}]
kind = "binary"
partitions = 2
versions = {{ every = 100 }}

[tasks.{NAME}-kinds]
kind = "multiclass"

[tasks.{NAME}-amounts]
kind = "regression"

[tasks.{NAME}-fresh]
kind = "binary"
"""


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    started = harness.Worker(tmp_path_factory.mktemp("report"), broker, TOML).start()
    try:
        started.wait_ready()
        with Client(started.address) as client:
            client.samples(NAME, [{"features": {"x": n % 7}, "label": n % 7 > 3, "key": f"k{n}"} for n in range(600)])
            client.samples(
                f"{NAME}-kinds", [{"features": {"x": n % 3}, "label": [HOSTILE, "b", "c"][n % 3]} for n in range(90)]
            )
            client.samples(f"{NAME}-amounts", [{"features": {"x": n % 9}, "label": 2.0 * (n % 9)} for n in range(50)])
            asyncio.run(
                harness.append(broker, f"{NAME}.events", [(0, json.dumps({"features": {}, "label": HOSTILE}).encode())])
            )
            for task, count in ((NAME, 600), (f"{NAME}-kinds", 90), (f"{NAME}-amounts", 50)):
                harness.wait_for(
                    lambda task=task, count=count: sum(one.updates for one in client.status(task).shards) == count,
                    20,
                    "learned",
                )
            harness.wait_for(lambda: client.quarantine(NAME).counted == 1, 20, "refused")
        yield started
    finally:
        started.stop("SIGKILL")


class Page(HTMLParser):
    """The elements of a page with their text; a page whose elements are not closed in order fails."""

    def __init__(self, text):
        super().__init__()
        self.open, self.names, self.attributes, self.titles, self.texts = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        assert tag in VOID

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.titles.append(data)
        self.texts.append(data)


def report(worker, task, folder):
    done = worker.run("report", task, "--out", str(folder / "out.html"))
    assert done.returncode == 0, done.stderr
    text = (folder / "out.html").read_text()
    assert f"{len(text.encode()):,} bytes" in done.stdout
    return text


def test_it_has_the_figures_of_the_worker(worker, tmp_path):
    page = Page(report(worker, NAME, tmp_path))
    with Client(worker.address) as client:
        status, versions = client.status(NAME), client.versions(NAME)
    champion = status.overall.arms["champion"]
    for value in champion.metrics["accuracy"], champion.metrics["window"]["log_loss"], champion.metrics["roc_auc"]:
        assert f"{value:.4f}" in page.texts
    for pair in champion.confusion:
        assert f"{pair.count:,}" in page.texts
    assert versions
    for version in versions:
        assert any(text.startswith(version.id) for text in page.texts)
    wanted = ["Figures", "Errors", "Calibration", "Versions", "Refused records", "Shards", "Definition of the task"]
    assert [title for title in page.titles if title in wanted] == wanted
    assert "svg" in page.names
    curves = [arm.calibration["equal_width"] for arm in status.overall.arms.values() if arm.calibration]
    assert page.names.count("circle") == sum(len(curve.bins) for curve in curves)
    assert "600" in page.texts
    assert "Send a label of the domain, or declare it in " in page.texts


@pytest.mark.parametrize("suffix", ["", "-kinds", "-amounts", "-fresh"])
def test_it_runs_nothing_and_fetches_nothing_and_shows_hostile_text_as_text(worker, tmp_path, suffix):
    text = report(worker, NAME + suffix, tmp_path)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base"} & set(page.names)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href", "action")]
    assert "url(" not in text
    assert "@import" not in text
    assert re.search(r"Content-Security-Policy\" content=\"default-src &#x27;none&#x27;", text)
    assert (HOSTILE in "".join(page.texts)) == (suffix == "-kinds")


def test_history_and_experiments_are_shown_when_the_worker_has_them(worker):
    with Client(worker.address) as client:
        run = collect(client, NAME)
    arms = {"champion": {"window": {"accuracy": 0.9}}, "next": {"window": {"accuracy": None}}}
    drawn = str(over_time(run._replace(points=[point(at % 2, at, arms) for at in range(6)])))
    assert drawn.count("<polyline") == 2, "a curve for each shard, and none for an arm without figures"
    assert "champion" in drawn
    assert over_time(run._replace(points=None)) is None
    one = {
        "partition": 0,
        "a": "champion",
        "b": HOSTILE,
        "loss": "brier",
        "margin": 0.005,
        "alpha": 0.05,
        "count": 1200,
    }
    early = {"mean_a": None, "mean_b": None, "difference": None, "low": -1.0, "high": 1.0, "verdict": "continue"}
    late = {"mean_a": 0.25, "mean_b": 0.5, "difference": -0.25, "low": -0.3, "high": -0.2, "verdict": "a_better"}
    told = str(experiments(run._replace(experiments=[one | early, one | late])))
    assert "<b>champion is better</b>" in told
    assert "<b>too early to say</b>" in told
    assert "-0.2500 (-0.3000 to -0.2000, 95 %)" in told
    assert "1,200" in told
    assert "<script>" not in told


def point(partition, number, arms, time=None):
    """A point of the history, after a hundred labels more than the one before."""
    at = 100.0 + number if time is None else time
    return {"partition": partition, "position": 200 * number, "updates": 100 * number, "time": at, "arms": arms}


@pytest.mark.parametrize(
    ("times", "over"),
    [
        ([0.0, 900.0, 1800.0, 2700.0, 3600.0], "log time (UTC)"),
        ([5.0, 5.0, 5.0, 5.01, 5.01], "labels learned"),
        ([5.0, 6.0, 7.0, 8.0, 9.0], "labels learned"),
        ([0.0, 0.1, 0.2, 1000.0, 2000.0], "labels learned"),  # a file, and then what came over the day
    ],
)
def test_labels_that_came_at_once_are_drawn_over_their_number_and_not_as_one_line(worker, times, over):
    with Client(worker.address) as client:
        run = collect(client, NAME)
    arms = {"champion": {"window": {"accuracy": 0.9}}}
    points = [point(0, number, arms, time) for number, time in enumerate(times)]
    signal = StoredSignal(
        "s", 0, 300, "drift", "champion", "adwin", "error", "worse", 0.1, 0.2, 9, 9, "none", False, 900.0
    )
    verdict = msgspec.structs.replace(signal, kind="experiment", position=700, time=2700.0, action="a verdict")
    drawn = str(over_time(run._replace(points=points, signals=[signal, verdict])))
    assert f"over {over}" in drawn
    curve = re.search(r'points="([^"]*)"', drawn)[1].split()
    quarters = [f"{56 + 172 * quarter:.1f}" for quarter in range(5)]
    assert [x_y.split(",")[0] for x_y in curve] == quarters
    if over == "labels learned":
        assert re.findall(r'<line x1="([^"]*)"[^>]*class="(mark[^"]*)"', drawn) == [("314.0", "mark"), ("658.0", "mark verdict")]  # fmt: skip
        assert "a verdict" in drawn
        assert ">400</text>" in drawn


def test_every_arm_of_a_task_has_a_look_of_its_own(worker):
    with Client(worker.address) as client:
        run = collect(client, NAME)
    names = ["champion", *RESERVED[1:], "no_change", "majority", *(f"arm{at}" for at in range(ARMS_MAX))]
    arms = {name: {"window": {"accuracy": 0.9}} for name in names}
    drawn = str(over_time(run._replace(points=[point(0, at, arms) for at in (0, 1)])))
    curves, keys = re.findall(r'class="curve ([^"]*)"', drawn), re.findall(r'class="key ([^"]*)"', drawn)
    assert len(set(curves)) == len(curves) == len(names)
    assert curves == keys
    for style in {part for curve in curves for part in curve.split()} - {"d0"}:
        assert re.search(rf"\.{style}\b", STYLE), "the page has each colour and each dash"


def test_a_caller_who_may_not_see_the_quarantine_gets_a_report_without_it(broker, tmp_path, monkeypatch):
    from keyed import SECRETS, keyed

    name = f"report-keyed-{uuid.uuid4().hex[:8]}"
    toml, settings = keyed(tmp_path, name)
    started = harness.Worker(tmp_path / "one", broker, toml, settings).start()
    monkeypatch.setenv("HEADRACE_KEY", SECRETS["predict"])
    try:
        started.wait_ready()
        assert "Refused records" not in Page(report(started, name, tmp_path)).titles
        monkeypatch.setenv("HEADRACE_KEY", "wrong")
        done = started.run("report", name, "--out", str(tmp_path / "none.html"))
        assert done.returncode == 1
        assert "the key is not known" in done.stderr
        assert not (tmp_path / "none.html").exists()
    finally:
        started.stop("SIGKILL")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser here")
def test_a_browser_shows_it_and_runs_nothing_of_it(worker, tmp_path):
    report(worker, f"{NAME}-kinds", tmp_path)
    dumped = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom", f"file://{tmp_path}/out.html"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "<h2>Figures</h2>" in dumped.stdout
    assert "CONSOLE" not in dumped.stderr, "neither a refusal of the policy nor an error"


def test_text_is_escaped_and_elements_are_not():
    assert el("p", "<b>", Html("<i>x</i>"), None, 3, title='"<') == '<p title="&quot;&lt;">&lt;b&gt;<i>x</i>3</p>'


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (0.899, 0.9), (-3.0, 1e6), (0.0, 0.0), (1e-9, 2e-9), (-5.0, -5.0)]
)
def test_ticks_enclose_the_range_and_are_few(low, high):
    values = ticks(low, high)
    assert values[0] <= low <= high <= values[-1]
    assert 2 <= len(values) <= 9
    assert values == sorted(set(values))

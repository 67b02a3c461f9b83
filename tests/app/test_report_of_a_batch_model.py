"""The report of a batch model beside one that learns online: who was better, in words and as curves over time."""

import csv
import random
import re
import uuid

import harness
import pytest
from called import command

from headrace import Client

NAME = f"batch-{uuid.uuid4().hex[:8]}"
STILL, TURNED = f"{NAME}-still", f"{NAME}-turned"
TRAINED, BEFORE, AFTER = 2_000, 1_000, 5_000

TASK = """
[tasks.TASK]
kind = "binary"
model = { use = "logistic", learning_rate = 0.05 }
columns = { label = "bought" }
features = { a = {}, b = {} }
"""

ARM = """
[tasks.TASK.arms.batch]
onnx = "TASK-batch.onnx"

[[tasks.TASK.experiments]]
b = "batch"
margin = 0.04
"""


def write_rows(path, count, seed, turned_at=None):
    """Write points of two classes; the line between them turns when the world changes."""
    dice = random.Random(seed)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["a", "b", "bought"])
        for at in range(count):
            a, b = dice.gauss(0, 1), dice.gauss(0, 1)
            side = a + b if turned_at is None or at < turned_at else a - b
            table.writerow([f"{a:.4f}", f"{b:.4f}", str((side > 0) != (dice.random() < 0.1)).lower()])
    return str(path)


@pytest.fixture(scope="module")
def reports(broker, tmp_path_factory):
    pytest.importorskip("skl2onnx")
    folder = tmp_path_factory.mktemp("batch")
    tables = "".join(TASK.replace("TASK", name) for name in (STILL, TURNED))
    worker = harness.Worker(folder / "one", broker, tables)
    for seed, name in enumerate((STILL, TURNED)):
        worker.task = name
        command(worker, "baseline", "--from", write_rows(folder / "history.csv", TRAINED, seed))
        with worker.config.open("a") as settings:
            settings.write(ARM.replace("TASK", name))
    worker.start()
    try:
        worker.wait_ready()
        yield {name: learn_and_report(worker, name, turned_at) for name, turned_at in ((STILL, None), (TURNED, BEFORE))}
    finally:
        worker.stop("SIGKILL")


def learn_and_report(worker, name, turned_at):
    """Send rows of a world to the worker; return the report on what has become of the arms."""
    worker.task, live, out = name, worker.folder / f"{name}.csv", worker.folder / f"{name}.html"
    command(worker, "send", write_rows(live, BEFORE + AFTER, 7, turned_at))
    with Client(worker.address) as client:
        harness.wait_for(lambda: client.status(name).shards[0].updates == BEFORE + AFTER, 30, "all learned")
        harness.wait_for(lambda: last_point(worker, name)["updates"] > BEFORE + AFTER * 3 // 4, 20, "the history")
    command(worker, "report", "--out", str(out))
    return out.read_text()


def last_point(worker, name):
    points = worker.get(f"/v1/{name}/metrics")["points"]
    return max(points, key=lambda point: point["updates"], default={"updates": 0})


def section(text, title):
    return re.search(rf"<section><h2>{title}</h2>(.*?)</section>", text)[1]


def curves(text):
    """Read the curves of the chart back from the drawing: for each arm its labels learned and its accuracies."""
    drawn = section(text, "Over time")
    assert "Accuracy of the last 1,000 scored predictions, over labels learned" in drawn
    grid = re.findall(r'<line [^>]*y1="([^"]*)" [^>]*class="grid"/><text [^>]*>([^<]*)</text>', drawn)
    (y0, low), *_, (y1, high) = [(float(y), float(value)) for y, value in grid]
    axis = re.findall(r'<text x="([^"]*)" [^>]*>([0-9,]+)</text>', drawn)
    (x0, first), *_, (x1, last) = [(float(x), float(value.replace(",", ""))) for x, value in axis]
    arms = dict(re.findall(r'<i class="key ([^"]*)"></i>([^<]*)<', drawn))
    found = {}
    for points, look in re.findall(r'<polyline points="([^"]*)" class="curve ([^"]*)"', drawn):
        pairs = [tuple(map(float, pair.split(","))) for pair in points.split()]
        labels = [first + (x - x0) / (x1 - x0) * (last - first) for x, _ in pairs]
        found[arms[look]] = labels, [low + (y - y0) / (y1 - y0) * (high - low) for _, y in pairs]
    return found


def rows_of(text, title):
    """Read the rows of the table of a section, as the texts of their cells."""
    _, body = section(text, title).split("<tbody>")
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("</tr>")]
    return [[re.sub("<[^>]*>", "", cell) for cell in row] for row in cells if row]


def test_where_the_world_stays_the_same_the_report_shows_the_tie(reports):
    (experiment,) = rows_of(reports[STILL], "Experiments")
    assert experiment[:4] == ["champion against batch", "0", "equivalent", f"{BEFORE + AFTER:,}"]
    assert [row[-1] for row in rows_of(reports[STILL], "Signals and reactions") if row[2].startswith("experiment")] == [
        "champion and batch are equivalent"
    ]
    drawn = curves(reports[STILL])
    labels, champion = drawn["champion"]
    _, batch = drawn["batch"]
    assert all(abs(a - b) < 0.04 for at, a, b in zip(labels, champion, batch, strict=True) if at >= 1_000)


def test_where_the_world_changes_the_report_shows_the_batch_model_fall_behind(reports):
    (experiment,) = rows_of(reports[TURNED], "Experiments")
    assert experiment[:4] == ["champion against batch", "0", "champion is better", f"{BEFORE + AFTER:,}"]
    assert float(experiment[5]) + 0.2 < float(experiment[6]), "the mean losses"
    newest = next(row for row in rows_of(reports[TURNED], "Signals and reactions") if row[2].startswith("experiment"))
    assert newest[-1] == "champion is better than batch"
    assert 'class="mark verdict"' in section(reports[TURNED], "Over time")
    drawn = curves(reports[TURNED])
    labels, champion = drawn["champion"]
    _, batch = drawn["batch"]
    before = [(a, b) for at, a, b in zip(labels, champion, batch, strict=True) if 500 <= at <= BEFORE]
    after = [(a, b) for at, a, b in zip(labels, champion, batch, strict=True) if at > BEFORE + 1_100]
    assert len(before) >= 3
    assert len(after) >= 3
    assert all(abs(a - b) < 0.04 for a, b in before)
    assert all(a > 0.8 and b < 0.6 for a, b in after)

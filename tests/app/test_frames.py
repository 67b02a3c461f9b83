"""Data frames become the records that their rows say, whatever library has made them, and answers become frames of that library."""

import asyncio
import datetime as dt
import decimal
import json
import subprocess
import sys

import harness
import httpx
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from headrace import AsyncClient, Client, Task
from headrace.app.answers import read_settings, tell_settings
from headrace.app.client import ClientError, ConflictError, FrameError, RateError, UnavailableError
from headrace.app.client import async_client as async_client_module
from headrace.app.client import client as client_module
from headrace.app.client.frames import BATCH_BYTES, samples_of
from headrace.app.files.sources import NONE, Named, open_source
from headrace.learning.task import Columns, Feature, Stored

ADS = Task(name="ads", kind="binary")
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
ROWS = [
    {"price": 3.5, "shop": "a", "seen": True, "clicks": 3, "at": NOON, "label": True},
    {"price": None, "shop": None, "seen": None, "clicks": None, "at": None, "label": False},
    {"price": 1.0, "shop": "b", "seen": False, "clicks": 0, "at": NOON, "label": True},
]
LIBRARIES = {
    "pandas": lambda rows: pd.DataFrame(rows, index=range(7, 7 + len(rows))),
    "pandas of its own types": lambda rows: pd.DataFrame(rows).convert_dtypes(),
    "pandas of Arrow": lambda rows: pd.DataFrame(rows).convert_dtypes(dtype_backend="pyarrow"),
    "polars": lambda rows: pl.DataFrame(rows, infer_schema_length=None),
    "pyarrow": pa.Table.from_pylist,
    "dicts": list,
}
every_library = pytest.mark.parametrize("make", LIBRARIES.values(), ids=LIBRARIES.keys())


def samples(frame, task=ADS, **columns):
    return list(samples_of(frame, task, Named(**columns)).samples)


def records(frame, task=ADS, **columns):
    made = samples(frame, task, **columns)
    assert [sample.reason for sample in made if sample.reason] == []
    return [json.loads(sample.value) for sample in made]


def features(column, task=ADS):
    """The values of one column, None for a missing one."""
    frame = pd.DataFrame({"x": column})
    return [one["features"].get("x") for one in records(frame.assign(label=True), task)]


@every_library
def test_rows_become_records_and_missing_cells_are_left_out(make):
    assert records(make(ROWS)) == [
        {"features": {"price": 3.5, "shop": "a", "seen": True, "clicks": 3, "at": NOON.timestamp()}, "label": True},
        {"features": {}, "label": False},
        {"features": {"price": 1.0, "shop": "b", "seen": False, "clicks": 0, "at": NOON.timestamp()}, "label": True},
    ]


@every_library
def test_the_columns_of_id_key_and_time_are_no_features(make):
    rows = [{"who": 17, "n": f"r{n}", "when": NOON, "x": n, "y": "yes"} for n in range(3)]
    made = samples(make(rows), label="y", id="n", key="who", time="when")
    assert json.loads(made[2].value) == {"id": "r2", "time": NOON.timestamp(), "features": {"x": 2}, "label": True}
    assert {sample.key for sample in made} == {"17"}


@every_library
def test_the_settings_of_the_task_name_the_columns_and_an_argument_overrides_them(make):
    task = Task(name="ads", kind="binary", columns=Columns(label="y", id="n", positive="up"))
    rows = [{"n": "a", "m": "b", "x": 1, "y": "up"}, {"n": "c", "m": "d", "x": 2, "y": "down"}]
    assert [(one["id"], one["label"]) for one in records(make(rows), task)] == [("a", True), ("c", False)]
    assert [one["id"] for one in records(make(rows), task, id="m")] == ["b", "d"]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "dicts"])
def test_a_frame_is_sent_as_its_file_is(library, tmp_path):
    """A frame, and the Parquet file of it, become the same bytes."""
    import pyarrow.parquet as pq

    rows = [
        {"id": f"r{n}", "when": NOON, "price": n / 7, "shop": "NA" if n % 3 else "b", "y": n % 2} for n in range(50)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    named = Named(label="y", id="id", time="when")
    of_file = [sample.value for sample in open_source([str(tmp_path / "rows.parquet")], ADS, named).samples]
    assert [sample.value for sample in samples(LIBRARIES[library](rows), ADS, **named._asdict())] == of_file


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (np.array([1, 2, 3], np.int8), [1, 2, 3]),
        (np.array([0.5, np.nan, 2], np.float32), [0.5, None, 2.0]),
        (pd.array([1, None, 3], dtype="Int64"), [1, None, 3]),
        (pd.array([True, None, False], dtype="boolean"), [True, None, False]),
        (pd.Categorical(["a", None, "b"]), ["a", None, "b"]),
        (pd.Categorical([3, 1, 3]), [3, 1, 3]),
        (pd.Series([pd.NA, pd.NaT, 1.5], dtype=object), [None, None, 1.5]),
        (pd.Series([np.float64(1.5), np.int64(2), np.nan], dtype=object), [1.5, 2, None]),
        (pd.to_datetime(["2026-01-01T00:00", None, "2026-01-01T12:00"]), [1767225600.0, None, 1767268800.0]),
        (pd.to_datetime(["2026-01-01"] * 3).tz_localize("Asia/Tokyo"), [1767225600.0 - 9 * 3600] * 3),
        (pd.to_timedelta(["90s", None, "1h"]), [90.0, None, 3600.0]),
        (pd.Series([decimal.Decimal("2.50"), decimal.Decimal("NaN"), decimal.Decimal(1)]), [2.5, None, 1.0]),
        (pd.Series([dt.date(2026, 1, 1), None, dt.date(1970, 1, 2)], dtype=object), [1767225600.0, None, 86400.0]),
        (["x", " NA ", "-"], ["x", None, None]),
    ],
    ids=lambda value: str(getattr(value, "dtype", ""))[:20],
)
def test_cells_become_plain_values(column, expected):
    values = features(column)
    assert values == expected
    assert {type(value) for value in values} <= {int, float, bool, str, type(None)}


def test_nanoseconds_and_durations_of_other_libraries_become_seconds():
    moments = [np.datetime64("2026-01-01T00:00:00.000000001"), np.datetime64("NaT")]
    assert [one["features"] for one in records([{"t": one, "label": True} for one in moments])] == [
        {"t": 1767225600.0},
        {},
    ]
    table = pa.table({"t": pa.array([1767225600_000000001], pa.timestamp("ns")), "d": pa.array([5], pa.duration("ns"))})
    (one,) = records(table.append_column("label", [[True]]))
    assert one["features"] == {"t": 1767225600.0, "d": 0.0}


def test_dates_are_seconds_whatever_form_the_files_of_the_task_have():
    task = Task(name="ads", kind="binary", columns=Columns(dates={"x": "d/m/y", "t": "milliseconds"}, time="t"))
    (one,) = records(pd.DataFrame({"x": [NOON], "t": [NOON], "label": [True]}), task)
    assert (one["features"]["x"], one["time"]) == (NOON.timestamp(), NOON.timestamp())
    (one,) = records([{"x": "31/12/2026", "t": 1767268800000, "label": True}], task)
    assert (one["features"]["x"], one["time"]) == (dt.datetime(2026, 12, 31, tzinfo=dt.UTC).timestamp(), 1767268800.0)


@pytest.mark.parametrize("kind", ["binary", "regression", "multiclass"])
def test_labels_that_are_values_already_are_no_texts_of_a_file(kind):
    """The columns of the settings say how the texts of files are read: there a decimal comma, and `Yes` for true."""
    task = Task(name="ads", kind=kind, columns=Columns(positive="Yes", decimal=","))
    labels = {"binary": [True, False], "regression": [1.234, 2.0], "multiclass": [3, 1]}[kind]
    frame = pd.DataFrame({"x": [1, 2], "label": labels})
    assert [one["label"] for one in records(frame, task)] == labels


def test_declared_types_decide_and_columns_that_are_not_declared_are_left_out():
    declared = {"code": Feature(type="string"), "n": Feature(type="int", optional=True), "on": Feature(type="bool")}
    task = Task(name="ads", kind="binary", features=declared)
    frame = pd.DataFrame({"code": [12, 34], "n": [1.0, np.nan], "on": [1, 0], "more": [1, 2], "label": [1, 0]})
    found = samples_of(frame, task, NONE)
    assert [json.loads(sample.value)["features"] for sample in found.samples] == [
        {"code": "12", "n": 1, "on": True},
        {"code": "34", "on": False},
    ]
    assert found.left_out == ["more"]


def test_what_no_record_can_hold_is_refused_row_by_row_or_left_out_as_a_column():
    rows = [{"x": 1.0, "tags": ["a"], "label": True}, {"x": float("inf"), "tags": [], "label": True}]
    rows += [{"x": 2.0, "tags": [], "label": None}, {"x": b"b", "tags": [], "label": True}]
    found = samples_of(pl.DataFrame(rows[:3]), ADS, NONE)
    assert [sample.reason.split(".")[0] for sample in found.samples] == ["", "'x' is infinite", "the label is missing"]
    assert found.left_out == ["tags"]
    declared = Task(name="ads", kind="binary", features={"x": Feature()})
    many = [rows[0]] * 1_000 + [rows[3]]
    assert samples(many, declared)[-1].reason == "'x' holds a bytes. Send numbers, strings, true or false."
    assert samples([one | {"other": float("inf")} for one in rows[:1]], declared)[0].reason == ""


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ([{"y": 1}], "there is no column 'label' (label). Columns: y."),
        ([{"lable": 1}], "there is no column 'label' (label). Did you mean 'lable'?"),
        (
            pd.DataFrame([[1, 2]], columns=["a", "a"]),
            "the column 'a' stands twice in the header of the frame. Rename one.",
        ),
        (pd.Series([1]), "a Series is no data frame: give one of pandas, polars or pyarrow, or a list of dicts."),
        (pl.DataFrame({"a": [1]}).lazy(), "a LazyFrame has no rows yet: call its method collect, and give the result."),
        ("frame", "a str is no data frame: give one of pandas, polars or pyarrow, or a list of dicts."),
    ],
)
def test_a_frame_that_cannot_be_read_is_an_error_that_says_what_to_do(frame, error):
    with pytest.raises(FrameError) as caught:
        samples(frame)
    assert str(caught.value) == error


@pytest.mark.parametrize("frame", [[], pd.DataFrame(), pl.DataFrame(), pd.DataFrame({"x": [], "label": []})])
def test_a_frame_without_rows_has_no_samples(frame):
    if list(getattr(frame, "columns", [])):
        assert samples(frame) == []
    else:
        with pytest.raises(FrameError, match="there is no column 'label'"):
            samples(frame)


class Streamed:
    """A relation of another library that offers Arrow's C stream."""

    columns = ("x", "label")

    def __arrow_c_stream__(self, requested_schema=None):
        return pa.table({"x": [1.5], "label": [True]}).__arrow_c_stream__(requested_schema)


def test_what_offers_the_c_stream_of_arrow_is_read_by_pyarrow():
    assert records(Streamed()) == [{"features": {"x": 1.5}, "label": True}]


def test_keys_of_dicts_may_be_numbers():
    assert records([{0: 1.5, 1: "a", "label": True}]) == [{"features": {"0": 1.5, "1": "a"}, "label": True}]


def test_no_library_is_imported_for_another_ones_frame():
    code = """
import sys
sys.modules["pyarrow"] = sys.modules["polars"] = None  # as if they were not installed
import pandas as pd
from headrace import Task
from headrace.app.client.frames import samples_of
from headrace.app.files.sources import NONE
frame = pd.DataFrame({"x": [1.0, None], "label": [True, False]})
print([sample.value for sample in samples_of(frame, Task(name="ads", kind="binary"), NONE).samples])
"""
    said = subprocess.run([sys.executable, "-c", code], text=True, cwd=harness.ROOT, capture_output=True, check=False)
    values = [b'{"features":{"x":1.0},"label":true}', b'{"features":{},"label":false}']
    assert said.stdout == f"{values}\n", said.stderr


def test_a_task_is_the_same_after_a_worker_has_told_its_settings():
    task = Task(
        name="ads",
        kind="multiclass",
        labels=["a", "b"],
        partitions=3,
        wait="1h",
        features={"x": Feature(min=0.0)},
        stored={"x": Stored(default=1.0)},
        columns=Columns(label="y", missing=["?"]),
    )
    told = json.loads(json.dumps(tell_settings(task)))
    again = read_settings("ads", told | {"of a newer version": 1})
    assert tell_settings(again) == tell_settings(task)
    with pytest.raises(ValueError, match="no_such_kind"):
        read_settings("ads", told | {"kind": "no_such_kind"})


# A worker that is a function.


class Worker:
    """Takes requests as a worker does: all rows of one or none. It refuses rows with a feature `bad`, and fails after some requests."""

    def __init__(self, task=ADS, fails_after=None, *, not_yet=False):
        self.task, self.fails_after, self.not_yet = task, fails_after, not_yet
        self.log, self.asked, self.requests = [], [], []

    def __call__(self, request):
        body = json.loads(request.content) if request.content else None
        self.requests.append((request.url.path, len(request.content), len(body) if body else 0))
        if self.fails_after is not None and len(self.requests) > self.fails_after:
            return httpx.Response(503, json={"code": "broker", "detail": "the broker is away."})
        if body and self.not_yet:
            return httpx.Response(409, json={"code": "not_yet", "detail": "the model is not there yet."})
        if request.method == "GET":
            status = {"task": "ads", "kind": self.task.kind, "partitions": 1, "logging": {}, "shards": []}
            overall = {"shards": [], "arms": {}, "served": {}}
            return httpx.Response(200, json=status | {"overall": overall, "settings": tell_settings(self.task)})
        for number, row in enumerate(body):
            if "bad" in row["features"]:
                detail = f"row {number} is bad."
                return httpx.Response(422, json={"code": "record", "detail": detail, "remedy": "Mend it."})
        if request.url.path.endswith("samples"):
            first = len(self.log)
            self.log += body
            places = [{"partition": 0, "offset": first + n} for n in range(len(body))]
            return httpx.Response(202, json={"positions": places})
        self.asked += body
        return httpx.Response(200, json=[self.answer(row) for row in body])

    def answer(self, row):
        x = row["features"].get("x", 0)
        p = min(x / 100, 1.0)
        labels = {"binary": x > 50, "regression": x, "multiclass": "ab"[x > 50]}
        named = {"binary": {"false": 1 - p, "true": p}, "regression": None, "multiclass": {"a": 1 - p, "b": p}}
        kind = self.task.kind
        given = {"id": row.get("id", "made"), "prediction": labels[kind], "probabilities": named[kind]}
        return given | {"arm": "champion", "version": None, "position": 7, "staleness_s": 0.1}


def blocking(worker, call):
    with Client(transport=httpx.MockTransport(worker)) as client:
        return call(client)


def awaiting(worker, call):
    async def main():
        async with AsyncClient(transport=httpx.MockTransport(worker)) as client:
            return await call(client)

    return asyncio.run(main())


both = pytest.mark.parametrize("run", [blocking, awaiting])


@both
def test_a_frame_is_sent_in_batches_in_its_order(run):
    worker = Worker(Task(name="ads", kind="binary", columns=Columns(label="y")))
    frame = pl.DataFrame({"x": range(2_500), "y": [n % 2 for n in range(2_500)]})
    sent = run(worker, lambda client: client.send("ads", frame))
    assert (sent.rows, sent.appended, sent.refused, sent.positions) == (2_500, 2_500, 0, {0: 2_500})
    assert [row["features"]["x"] for row in worker.log] == list(range(2_500))
    assert [rows for _, _, rows in worker.requests] == [0, 1_000, 1_000, 500]


@both
def test_a_request_is_smaller_than_what_a_worker_takes(run):
    worker = Worker()
    frame = [{"text": "ü" * 4_000, "label": True}] * 200
    assert run(worker, lambda client: client.send(ADS, frame)).appended == 200
    assert max(size for _, size, _ in worker.requests) < 1 << 20
    assert len(worker.requests) == -(-200 // (BATCH_BYTES // 8_050))


@both
def test_rows_that_are_refused_are_named_and_the_others_are_appended_in_order(run):
    worker = Worker()
    rows = [{"x": n, "bad": None if n not in (3, 4, 17) else 1, "label": True} for n in range(40)]
    rows[5]["label"] = "perhaps"
    sent = run(worker, lambda client: client.send(ADS, rows))
    assert (sent.rows, sent.appended, sent.refused) == (40, 36, 4)
    assert [one.row for one in sent.reasons] == [3, 4, 5, 17]
    assert {one.row: one.reason for one in sent.reasons}[17] == "row 0 is bad. Mend it."
    assert [row["features"]["x"] for row in worker.log] == [n for n in range(40) if n not in (3, 4, 5, 17)]


@both
def test_an_error_in_between_says_what_had_become_of_the_rows_before(run):
    frame = pl.DataFrame({"x": range(2_500), "label": [None if n in (3, 2_300) else True for n in range(2_500)]})
    with pytest.raises(UnavailableError) as caught:
        run(Worker(fails_after=2), lambda client: client.send(ADS, frame))
    sent = caught.value.sent
    assert (sent.rows, sent.appended, sent.refused) == (2_000, 1_999, 1)
    rest = Worker()
    run(rest, lambda client: client.send(ADS, frame[sent.rows :]))
    assert [row["features"]["x"] for row in rest.log] == [n for n in range(2_000, 2_500) if n != 2_300]


@both
def test_an_error_while_wrong_rows_are_looked_for_counts_no_row_after_it(run):
    """Seven rows are refused, the first three are appended, and the request for the others fails; the last two rows have no label."""
    rows = [{"x": n, "bad": 1 if n == 6 else None, "label": True if n < 7 else None} for n in range(9)]
    worker = Worker(fails_after=2)
    with pytest.raises(UnavailableError) as caught:
        run(worker, lambda client: client.send(ADS, rows))
    assert [rows for _, _, rows in worker.requests] == [7, 3, 4]
    assert (caught.value.sent.rows, caught.value.sent.appended, caught.value.sent.reasons) == (3, 3, [])


@both
@every_library
def test_answers_are_a_frame_of_the_same_library_in_the_same_order(run, make):
    frame = make([{"x": x, "bad": 1 if x == 60 else None, "label": True} for x in (0, 60, 100)])
    answers = run(Worker(), lambda client: client.predict(ADS, frame))
    assert type(answers) is type(frame)
    if isinstance(frame, pd.DataFrame):
        assert list(answers.index) == list(frame.index)
        assert list(answers.columns) == ["prediction", "probability_false", "probability_true", "error"]
        answers = answers.astype(object).where(answers.notna(), None).to_dict("records")
    elif not isinstance(frame, list):
        assert answers.schema == LIBRARIES["polars" if isinstance(frame, pl.DataFrame) else "pyarrow"](WANTED).schema
        answers = answers.to_dicts() if isinstance(frame, pl.DataFrame) else answers.to_pylist()
    assert answers == WANTED


WANTED = [
    {"prediction": False, "probability_false": 1.0, "probability_true": 0.0, "error": None},
    {"prediction": None, "probability_false": None, "probability_true": None, "error": "row 0 is bad. Mend it."},
    {"prediction": True, "probability_false": 0.0, "probability_true": 1.0, "error": None},
]


@both
@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("regression", {"prediction": [1.0, 99.0], "error": [None, None]}),
        (
            "multiclass",
            {
                "prediction": ["a", "b"],
                "probability_a": [0.99, 0.01],
                "probability_b": [0.01, 0.99],
                "error": [None] * 2,
            },
        ),
    ],
)
def test_answers_of_other_kinds_have_their_columns(run, kind, columns):
    worker = Worker(Task(name="ads", kind=kind))
    answers = run(worker, lambda client: client.predict("ads", pl.DataFrame({"x": [1, 99]})))
    assert {name: pytest.approx(answers[name].to_list()) for name in answers.columns} == columns


@both
def test_a_question_has_no_label_and_no_time_and_id_and_key_of_their_columns(run):
    task = Task(name="ads", kind="binary", columns=Columns(label="y", id="n", time="t", key="who"))
    worker = Worker(task)
    rows = [{"x": 1, "n": "a", "t": 5.0, "who": "u", "y": None}, {"x": 2, "n": "b", "t": 6.0, "who": "v", "y": None}]
    answers = run(worker, lambda client: client.predict("ads", rows, log="durable", min_position=3))
    common = {"log": "durable", "min_position": 3}
    assert worker.asked == [
        {"features": {"x": 1}, "id": "a", "key": "u"} | common,
        {"features": {"x": 2}, "id": "b", "key": "v"} | common,
    ]
    assert [row["id"] for row in answers] == ["a", "b"]
    worker.asked.clear()
    run(worker, lambda client: client.predict("ads", [{"x": 3}]))  # a frame of questions may lack them
    assert worker.asked == [{"features": {"x": 3}}]
    with pytest.raises(FrameError, match="there is no column 'm'"):
        run(worker, lambda client: client.predict("ads", rows, id="m"))


@both
def test_a_question_that_the_task_cannot_take_is_not_asked(run):
    task = Task(name="ads", kind="binary", features={"x": Feature(max=10.0), "s": Feature()}, stored={"s": Stored()})
    worker = Worker(task)
    answers = run(worker, lambda client: client.predict("ads", [{"x": 11}, {"x": 3}, {"x": None}]))
    assert [row["error"] and row["error"].split(";")[0] for row in answers] == [
        "feature 'x' is 11",
        None,
        "feature 'x' is missing. Send it, or declare it optional.",
    ]
    assert worker.asked == [{"features": {"x": 3}}]  # the worker looks up what is stored


@both
def test_a_model_that_is_not_there_yet_is_waited_for_once(run):
    """Were the rows asked one by one, each would wait."""
    worker = Worker(not_yet=True)
    with pytest.raises(ConflictError):
        run(worker, lambda client: client.predict(ADS, [{"x": 1}] * 9, min_position=5))
    assert len(worker.requests) == 1


@both
@pytest.mark.parametrize(
    "frame", [pd.DataFrame({"x": []}), pl.DataFrame({"x": []}), []], ids=["pandas", "polars", "dicts"]
)
def test_no_rows_have_no_answers_and_no_request(run, frame):
    worker = Worker()
    answers = run(worker, lambda client: client.predict(ADS, frame))
    assert (len(answers), type(answers), worker.requests) == (0, type(frame), [])
    if isinstance(frame, pl.DataFrame):
        assert answers.schema == pl.DataFrame(WANTED).schema


@both
def test_pandas_keeps_an_index_of_several_levels(run):
    frame = pd.DataFrame({"x": [1, 99], "y": [0, 1]}).set_index(["y", pd.Index(["a", "b"])])
    frame.columns = pd.MultiIndex.from_tuples([("x", "")])
    answers = run(Worker(), lambda client: client.predict(ADS, frame.set_axis(["x"], axis=1)))
    assert answers.index.equals(frame.index)
    assert run(Worker(), lambda client: client.predict(ADS, frame)).index.equals(frame.index)


@both
def test_a_worker_that_does_not_tell_its_settings_is_named(run):
    status = {"task": "ads", "kind": "binary", "partitions": 1, "logging": {}, "shards": []}
    status |= {"overall": {"shards": [], "arms": {}, "served": {}}}
    with pytest.raises(FrameError, match="does not tell the settings of 'ads'"):
        run(lambda _: httpx.Response(200, json=status), lambda client: client.send("ads", []))
    with pytest.raises(FrameError, match="of another version of Headrace"):
        run(
            lambda _: httpx.Response(200, json=status | {"settings": {"kind": "new"}}),
            lambda client: client.task("ads"),
        )


# A worker that asks to wait.


class Busy(Worker):
    """Answers 429 to so many requests before each that it takes."""

    def __init__(self, times, after="2", **more):
        super().__init__(**more)
        self.times, self.after, self.refused = times, after, 0

    def __call__(self, request):
        if self.refused < self.times:
            self.refused += 1
            detail = {"code": "rate", "detail": "more than 5 requests a second.", "remedy": "Ask again in 2 s."}
            return httpx.Response(429, json=detail, headers={"Retry-After": self.after} if self.after else {})
        self.refused = 0
        return super().__call__(request)


@pytest.fixture
def slept(monkeypatch):
    """The pauses of a client, which do not last."""
    pauses = []

    async def pause(seconds):
        pauses.append(seconds)

    monkeypatch.setattr(client_module.time, "sleep", pauses.append)
    monkeypatch.setattr(async_client_module.asyncio, "sleep", pause)
    return pauses


FEW = [{"x": float(n), "label": True} for n in range(2_500)]


@both
def test_send_waits_as_long_as_the_worker_asks_and_every_row_is_appended_once(run, slept, caplog):
    worker = Busy(2)
    sent = run(worker, lambda client: client.send(ADS, FEW))
    assert (sent.appended, len(worker.log)) == (2_500, 2_500)
    assert slept == [2.0] * 6, "twice before each of the three requests"
    assert sent.waited_s == 12.0
    assert "Waited 12 s, as the worker asked." in str(sent)
    assert caplog.messages[0] == "waiting 2 s, as the worker asks: more than 5 requests a second."


@both
def test_predict_and_the_look_up_of_a_task_wait_too(run, slept):
    assert len(run(Busy(1), lambda client: client.predict("ads", FEW[:3]))) == 3
    assert slept == [2.0, 2.0]
    assert run(Busy(1), lambda client: client.task("ads")).name == "ads"


@both
def test_a_worker_that_names_no_time_is_asked_again_after_a_second(run, slept):
    run(Busy(1, after=None), lambda client: client.send(ADS, FEW[:1]))
    assert slept == [1.0]


@both
@pytest.mark.parametrize(("after", "pauses"), [("20", [20.0] * 3), ("61", [])])
def test_a_client_that_has_waited_a_minute_for_a_request_fails_and_says_what_became_of_the_rows(
    run, slept, after, pauses
):
    worker = Busy(10**6, after=after)
    worker.refused, worker.times = 0, 0
    worker_takes_one = worker.__call__

    def first_taken(request):
        answer = worker_takes_one(request)
        worker.times = 10**6
        return answer

    with pytest.raises(RateError) as caught:
        run(first_taken, lambda client: client.send(ADS, FEW))
    assert slept == pauses
    assert (caught.value.sent.rows, caught.value.sent.appended, caught.value.sent.waited_s) == (
        1_000,
        1_000,
        sum(pauses),
    )


@both
def test_no_other_refusal_is_waited_for(run, slept):
    with pytest.raises(ClientError):
        run(Worker(fails_after=0), lambda client: client.send(ADS, FEW[:1]))
    assert slept == []

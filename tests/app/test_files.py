"""Files as people have them: from `init` to the samples that `send` sends, without an option; every value is what a person reads there."""

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import tomllib
import uuid
from pathlib import Path

import click
import pytest
import zstandard
from rich.progress import Progress

from headrace import Learner, Message
from headrace.app.answers import read_settings, tell_settings
from headrace.app.cli.baseline import read
from headrace.app.cli.predict import named, parse_features
from headrace.app.cli.warm_start import Training
from headrace.app.files.sources import Named, open_source
from headrace.app.settings import load
from headrace.learning.task import Columns, Task
from headrace.testing import MemoryLog

ROWS = 60


class Walk:
    """`headrace init` for a file, and then what `headrace send` would send of it."""

    def __init__(self, headrace, folder, name, data, *options):
        self.path = folder / name
        self.path.write_bytes(data if isinstance(data, bytes) else data.encode())
        config = folder / "headrace.toml"
        self.init = headrace("init", "--config", config, self.path, *options)
        assert self.init.status == 0, self.init.err
        self.settings = load(str(config))
        ((self.name, self.task),) = self.settings.tasks.items()
        self.declared = {name: feature.type for name, feature in self.task.features.items()}
        self.optional = {name for name, feature in self.task.features.items() if feature.optional}
        self.source = open_source([str(self.path)], self.task)
        self.samples = list(self.source.samples)
        self.reasons = [f"{sample.line}: {sample.reason}" for sample in self.samples if sample.reason]
        self.records = [json.loads(sample.value) for sample in self.samples if not sample.reason]

        self.said = " ".join(self.init.out.replace("\n ", "").split())

    def features(self, at=0):
        return self.records[at]["features"]

    def row(self, column):
        """The row of the table that `init` printed for a column, without its name."""
        lines = [line for line in self.init.out.splitlines() if line.startswith(f"{column} ")]
        return " ".join(lines[0].removeprefix(column).split())


@pytest.fixture
def walk(headrace, tmp_path):
    def go(name, data, *options):
        return Walk(headrace, tmp_path, name, data, *options)

    go.folder = tmp_path
    return go


def auto_mpg():
    """As UCI's: `?` for six unknown numbers, and a name that is nearly unique."""
    rows = ["mpg,cylinders,horsepower,weight,car name"]
    for number in range(ROWS):
        power = "?" if number % 10 == 3 else f"{100 + number}.0"
        rows.append(f"{15 + number / 7:.1f},{4 + number % 3},{power},{2000 + number},model {number}")
    return "\n".join(rows) + "\n"


def test_a_question_mark_is_a_missing_number_and_no_category(walk):
    seen = walk("auto-mpg.csv", auto_mpg(), "--label", "mpg")
    assert seen.task.kind == "regression"
    assert seen.declared == {"cylinders": "float", "horsepower": "float", "weight": "float"}
    assert seen.optional == {"horsepower"}
    assert seen.row("car name") == "strings 60 0 % model 0 left out: unique"
    assert seen.row("horsepower") == "numbers 54 10 % 100 to 159 a number"
    assert not seen.reasons
    assert [at for at, row in enumerate(seen.records) if "horsepower" not in row["features"]] == [3, 13, 23, 33, 43, 53]
    assert seen.records[0] == {"features": {"cylinders": 4.0, "horsepower": 100.0, "weight": 2000.0}, "label": 15.0}


def adult():
    """As UCI's: a blank after each comma, `?` for unknown strings."""
    rows = ["age, workclass, education, income"]
    for number in range(ROWS):
        work = "?" if number % 9 == 4 else ["Private", "State-gov"][number % 2]
        rows.append(
            f"{20 + number * 7 % 50}, {work}, {['HS-grad', 'Masters'][number % 2]}, {['<=50K', '>50K'][number // 3 % 2]}"
        )
    return "\n".join(rows) + "\n"


def test_blanks_after_commas_are_no_part_of_a_value(walk):
    seen = walk("adult.csv", adult(), "--label", "income", "--positive", ">50K")
    assert seen.task.kind == "binary"
    assert (seen.task.columns.positive, seen.task.columns.negative) == (">50K", "<=50K")
    assert seen.declared == {"age": "float", "workclass": "string", "education": "string"}
    assert seen.optional == {"workclass"}
    assert {row["features"].get("workclass") for row in seen.records} == {"Private", "State-gov", None}
    assert [row["label"] for row in seen.records[:6]] == [False] * 3 + [True] * 3


def telco():
    """As Telco's churn: totals that are blank for new customers, yes and no."""
    rows = ["customerID,gender,tenure,TotalCharges,Churn"]
    for number in range(ROWS):
        total = " " if number % 20 == 7 else f"{number * 29.85:.2f}"
        rows.append(
            f"7590-{number:04},{['Female', 'Male'][number % 2]},{number * 7 % 72},{total},{['No', 'Yes'][number % 4 == 1]}"
        )
    return "\n".join(rows) + "\n"


def test_blank_totals_stay_numbers_and_yes_and_no_are_two_classes(walk):
    seen = walk("telco.csv", telco(), "--label", "Churn")
    assert seen.task.kind == "binary"
    assert seen.task.columns.id == "customerID"
    assert seen.declared == {"gender": "string", "tenure": "float", "TotalCharges": "float"}
    assert seen.optional == {"TotalCharges"}
    assert not seen.reasons
    assert seen.records[1] == {
        "id": "7590-0001", "features": {"gender": "Male", "tenure": 7.0, "TotalCharges": 29.85}, "label": True,
    }  # fmt: skip
    assert "TotalCharges" not in seen.features(7)


def german():
    """An export of a German Excel: `sep=;`, Latin-1, decimal comma, points between thousands, euros, per cent, day before month."""
    rows = ["sep=;", "Kunde;Größe;Preis;Rabatt;Menge;Bestellt am;PLZ;gekauft"]
    for number in range(ROWS):
        price = f"{1000 + number * 37:,}".replace(",", ".") + f",{number:02} €"
        count = "k. A." if number % 6 == 5 else number % 5
        day = f"{number % 28 + 1:02}.{number % 12 + 1:02}.2026"
        row = (
            ["Müller", "Maß", "Özil"][number % 3],
            f"{number % 9},5",
            price,
            f"{number % 20},5 %",
            count,
            day,
            f"0{1234 + number % 4}",
        )
        rows.append(";".join(map(str, [*row, ["nein", "ja"][number % 2]])))
    return ("\r\n".join(rows) + "\r\n").encode("cp1252")


def test_a_german_export_of_excel(walk):
    seen = walk("bestellungen.csv", german(), "--label", "gekauft", "--positive", "ja")
    assert "read as cp1252" in seen.init.out
    assert "'k. A.' in 'Menge' is taken for a missing value" in " ".join(seen.init.out.replace("\n ", "").split())
    columns = seen.task.columns
    assert (columns.decimal, columns.encoding, columns.missing, columns.dates) == (
        ",",
        "cp1252",
        ["k. A."],
        {"Bestellt am": "d/m/y"},
    )
    assert seen.declared == {"Kunde": "string", "Größe": "float", "Preis": "float", "Rabatt": "float", "Menge": "float",
                             "Bestellt am": "float", "PLZ": "string"}  # fmt: skip
    assert not seen.source.notes
    assert not seen.reasons
    assert seen.records[1] == {
        "features": {"Kunde": "Maß", "Größe": 1.5, "Preis": 1037.01, "Rabatt": 1.5, "Menge": 1.0, "Bestellt am": 1769990400.0,
                     "PLZ": "01235"},
        "label": True,
    }  # fmt: skip
    assert "Menge" not in seen.features(5)


def r_frame():
    """What R's write.csv writes: quoted names, row names without a name, NA without quotes."""
    rows = ['"","Ozone","Wind","Month","y"']
    rows += [
        f'"{n + 1}",{"NA" if n % 7 == 2 else n % 50},{n / 10 + 1.1:.1f},"m{n % 5}",{2.5 * (n % 50) + n / 9:.3f}'
        for n in range(ROWS)
    ]
    return "\n".join(rows) + "\n"


def test_rs_na_is_missing_and_its_row_names_are_left_out(walk):
    seen = walk("airquality.csv", r_frame())
    assert seen.task.kind == "regression"
    assert seen.task.columns.label == "y"
    assert seen.declared == {"Ozone": "float", "Wind": "float", "Month": "string"}
    assert seen.optional == {"Ozone"}
    assert "looks like the index of a data frame" in seen.init.out.replace("\n ", "")
    assert seen.features(2) == {"Wind": 1.3, "Month": "m2"}


def test_a_table_of_r_whose_header_is_one_name_short(walk):
    rows = ["a b y", *(f'"row {n}" {n % 50} {n / 2} {n % 2}' for n in range(ROWS))]
    seen = walk("table.txt", "\n".join(rows) + "\n")
    assert seen.declared == {"a": "float", "b": "float"}
    assert seen.records[3] == {"features": {"a": 3.0, "b": 1.5}, "label": True}


def test_the_index_of_pandas_is_left_out(walk):
    rows = [",price,sold,label", *(f"{n},{n * 1.5},{['True', 'False'][n % 2]},{n % 2}.0" for n in range(ROWS))]
    seen = walk("frame.csv", "\n".join(rows) + "\n")
    assert seen.task.kind == "binary"
    assert seen.declared == {"price": "float", "sold": "bool"}
    assert seen.records[1] == {"features": {"price": 1.5, "sold": False}, "label": True}
    again = walk_again(seen, seen.path.read_text().replace(",price", "Unnamed: 0,price", 1))
    assert again == seen.records


def walk_again(seen, data):
    """The records of other data under the same settings."""
    seen.path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return [json.loads(sample.value) for sample in open_source([str(seen.path)], seen.task).samples]


PLAIN = "town,price,label\n" + "".join(
    f"{['Évora', 'Málaga'][n % 2]},{n}.25,{['no', 'yes'][n // 2 % 2]}\n" for n in range(ROWS)
)
FIRST = {"features": {"town": "Évora", "price": 0.25}, "label": False}


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.replace(",", "\t").encode("utf-16-le"),
        PLAIN.encode("utf-8-sig"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace(",", "|").encode(),
        PLAIN.replace(",", "   ").encode(),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", " , ").encode(),
        PLAIN.replace("\n", ",\n").encode(),
        PLAIN.encode("latin-1"),
        gzip.compress(PLAIN.encode()),
        bz2.compress(PLAIN.encode()),
        lzma.compress(PLAIN.encode()),
        zstandard.compress(PLAIN.encode()),
        zstandard.compress(PLAIN[:500].encode()) + zstandard.compress(PLAIN[500:].encode()),
    ],
    ids=["UTF-16 with a mark", "UTF-16", "BOM", "CRLF", "CR", "pipes", "blanks", "semicolons", "blanks around", "delimiter at the end",
         "Latin-1", "gzip", "bz2", "xz", "zstd", "zstd in two frames"],
)  # fmt: skip
def test_one_table_in_many_forms_gives_the_same_samples(walk, data):
    seen = walk("towns.dat", data)
    assert seen.declared == {"town": "string", "price": "float"}
    assert not seen.reasons
    assert seen.records[0] == FIRST
    assert len(seen.records) == ROWS


def test_a_quoted_cell_may_have_delimiters_quotes_and_line_ends(walk):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["note", "price", "label"])
    writer.writerows([["one,\ntwo", 'say ""no""', "three;"][n % 3], n, n // 3 % 2] for n in range(ROWS))
    seen = walk("notes.csv", text.getvalue())
    assert [row["features"]["note"] for row in seen.records[:3]] == ["one,\ntwo", 'say ""no""', "three;"]
    assert len(seen.records) == ROWS
    assert seen.samples[1].line == 4  # the first row has two lines


ROWS_OF_JSON = [
    {"visit": f"v{n}", "user": f"u{n % 4}", "at": f"2026-03-01T00:{n:02}:00Z", "pages": n if n % 5 else None, "vip": n % 2 == 0, "bought": n % 3 == 0}
    for n in range(ROWS)
]  # fmt: skip


def test_plain_rows_of_json(walk):
    lines = "\n".join(map(json.dumps, ROWS_OF_JSON))
    seen = walk("visits.jsonl", lines, "--label", "bought", "--id", "visit", "--key", "user", "--time", "at")
    assert seen.declared == {"pages": "float", "vip": "bool"}
    assert seen.optional == {"pages"}
    assert seen.samples[1].key == "u1"
    assert seen.records[1] == {"id": "v1", "time": 1772323260.0, "features": {"pages": 1, "vip": False}, "label": False}
    assert seen.features() == {"vip": True}
    assert not seen.reasons


def test_records_are_looked_at_too_and_bring_their_key(walk):
    lines = [{"features": {"a": n, "b": "xy"[n % 2]}, "label": n % 2 == 0, "key": f"k{n % 3}"} for n in range(ROWS)]
    seen = walk("records.ndjson", "\n".join(map(json.dumps, lines)))
    assert seen.declared == {"a": "float", "b": "string"}
    assert [sample.key for sample in seen.samples[:4]] == ["k0", "k1", "k2", "k0"]
    assert seen.records[1] == {"features": {"a": 1, "b": "y"}, "label": False}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(["ham", "ham", "spam"], [False, False, True]), (["no", "yes"], [False, True]), ([0, 1], [False, True]),
     ([2, 1], [True, False]), ([True, False], [True, False])],
)  # fmt: skip
def test_the_words_of_records_are_two_classes_too(walk, labels, expected):
    lines = [{"features": {"a": n % 7}, "label": labels[n % len(labels)], "key": f"k{n}"} for n in range(ROWS)]
    seen = walk("records.ndjson", "\n".join(map(json.dumps, lines)))
    assert (seen.task.kind, seen.reasons) == ("binary", [])
    assert [row["label"] for row in seen.records[: len(labels)]] == expected
    assert seen.samples[5].key == "k5"
    assert "label 'maybe' is not one of" in seen_alone(seen, b'{"features": {"a": 1}, "label": "maybe"}')


def seen_alone(seen, line):
    """The reason why a line is not sent under the same settings."""
    seen.path.write_bytes(line)
    (sample,) = open_source([str(seen.path)], seen.task).samples
    return sample.reason


def test_two_words_are_the_same_two_classes_for_all_who_read_them(walk):
    rows = [(n % 7, "spam" if n % 7 > 4 else "ham") for n in range(ROWS)]
    seen = walk("mail.csv", "words,label\n" + "".join(f"{words},{label}\n" for words, label in rows))
    assert (seen.task.kind, seen.task.columns.positive, seen.task.columns.negative) == ("binary", "spam", "ham")
    truth = [label == "spam" for _, label in rows]
    assert [row["label"] for row in seen.records] == truth
    assert read(open_source(str(seen.path), seen.task).samples)[1] == truth
    log = MemoryLog(seen.task)
    frame = [{"words": words, "label": label} for words, label in rows]
    assert log.send(frame).refused == 0
    assert [json.loads(message.value)["label"] for message in log.messages[0]] == truth
    training = Training(seen.task, [str(seen.path)], Named(), skip_invalid=False)
    assert training.run(1, Progress(disable=True))[0].learned == ROWS
    told = read_settings("mail", tell_settings(seen.task))
    assert (told.columns.positive, told.columns.negative) == ("spam", "ham")
    assert (named("true", seen.task), named("False", seen.task)) == ("true (spam)", "false (ham)")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"features":{"a":1},"label":true,"key":5}', "the key is not a string"),
        (b'{"features":{"a":1},"label":true,"key":"x","key":"y"}', "the key 'key' stands twice"),
    ],
)
def test_a_record_with_a_wrong_key_is_refused(tmp_path, line, reason):
    path = tmp_path / "a.ndjson"
    path.write_bytes(line)
    config = tmp_path / "headrace.toml"
    config.write_text('[tasks.a]\nkind = "binary"\n')
    (sample,) = open_source([str(path)], load(str(config)).tasks["a"]).samples
    assert reason in sample.reason


@pytest.mark.parametrize(
    ("kind", "labels"),
    [("binary", [True, False, None]), ("regression", [1.234, 2.0, None])],
    ids=["binary", "regression"],
)
def test_labels_of_parquet_are_no_texts(tmp_path, kind, labels):
    """The task's columns say how texts are read: with a decimal comma 1.234 would be 1234, and only `Yes` would be true."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'headrace[parquet]'")
    import pyarrow.parquet

    pyarrow.parquet.write_table(pa.table({"x": [1, 2, 3], "label": labels}), tmp_path / "x.parquet")
    task = Task(name="x", kind=kind, columns=Columns(positive="Yes", decimal=","))
    samples = list(open_source(str(tmp_path / "x.parquet"), task).samples)
    assert [json.loads(sample.value)["label"] for sample in samples[:2]] == labels[:2]
    assert samples[2].reason.startswith("the label is missing")


def test_parquet_and_arrow(walk, tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'headrace[parquet]'")
    import datetime as dt
    import decimal

    import pyarrow.feather
    import pyarrow.parquet

    table = pa.table({
        "town": pa.array(["Porto", "Paris"] * 30).dictionary_encode(),
        "price": pa.array([decimal.Decimal(n) / 4 for n in range(ROWS)], pa.decimal128(9, 2)),
        "pages": pa.array([None if n % 5 == 0 else n for n in range(ROWS)]),
        "joined": pa.array([dt.datetime(2026, 1, 1 + n % 28, tzinfo=dt.UTC) for n in range(ROWS)], pa.timestamp("ns", "UTC")),
        "tags": pa.array([["a"]] * ROWS),
        "__index_level_0__": pa.array(range(ROWS)),
        "label": pa.array([n % 3 == 0 for n in range(ROWS)]),
    })  # fmt: skip
    expected = {"features": {"town": "Paris", "price": 0.25, "pages": 1, "joined": 1767312000.0}, "label": False}
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    pyarrow.feather.write_feather(table, tmp_path / "x.feather")
    with pa.OSFile(str(tmp_path / "x.arrows"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    for name in ("x.parquet", "x.feather", "x.arrows"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / "headrace.toml").unlink(missing_ok=True)
        seen = walk(f"towns-{name}", data)
        assert seen.declared == {"town": "string", "price": "float", "pages": "float", "joined": "float"}
        assert seen.optional == {"pages"}
        assert "which hold lists, objects or bytes: tags." in seen.init.out.replace("\n ", "")
        assert not seen.reasons
        assert seen.records[1] == expected
        assert seen.source.done() == seen.source.total or name != "x.parquet"


# what init says


def test_init_declares_what_becomes_of_texts_dates_many_values_and_missing_cells(walk):
    header = "review,at,clock,shop,price,bought\n"
    rows = "".join(
        f"it was a very {'good' if n % 2 else 'bad'} product indeed number {n},2026-0{n % 9 + 1}-01 10:00,{n % 24:02}:30,"
        f"shop {n % 1_200},{'' if n % 5 == 0 else n},{'yes' if n % 2 else 'no'}\n"
        for n in range(2_400)
    )
    seen = walk("shop.csv", header + rows, "--label", "bought")
    steps = {name: (feature.step, feature.missing) for name, feature in seen.task.features.items()}
    assert steps == {
        "review": ("text", None),
        "at": ("date", None),
        "clock": ({"use": "binned", "width": 3600}, None),
        "shop": ({"use": "hashed", "bits": 14}, None),
        "price": (None, "indicator"),
    }
    assert not seen.reasons
    learner = Learner(seen.task, 0)
    right = 0
    for offset, record in enumerate(seen.records[:500]):
        prediction = learner.champion.predict(record["features"])
        right += prediction is not None and prediction.value == record["label"]
        for _ in learner.fold(Message(offset, json.dumps(record).encode(), 0)):
            pass
    assert right > 450, "the words tell it"
    assert learner.state.quarantined == 0


def test_the_table_of_init_fits_80_columns_and_says_what_each_column_becomes(walk):
    header = "a very long name of a column that goes on and on,when,empty,user_id,story,amount,always,class\n"
    rows = "".join(
        f"{'x' * 50}{n % 3},2026-01-0{n % 9 + 1},,user {n % 55},{f'a long story number {n} ' * 4},{n},5,{'abc'[n % 3]}\n"
        for n in range(110)
    )
    seen = walk("wide.csv", header + rows)
    assert max(map(len, seen.init.out.split("Wrote")[0].splitlines())) <= 80
    assert seen.row("a very long ...") == "strings 3 0 % xxxxxxxxxxxxx... a category"
    assert seen.row("when").endswith("2026-01..2026-01 hour, day, month")
    assert seen.row("empty") == "nothing 0 100 % left out: empty"
    assert seen.row("user_id").endswith("left out: an id")
    assert seen.row("story").endswith("words")
    assert seen.row("class").endswith("the label")
    said = " ".join(seen.init.out.replace("\n ", "").split())
    assert "Is it the key? Then add --key 'user_id'." in said
    assert "'always' is always 5, so it says nothing." in said


def numbers(cells, labels=None, name="amount"):
    rows = [f"{cell},{n % 7},{labels[n] if labels else n // 2 % 2}" for n, cell in enumerate(cells)]
    return f"{name},other,label\n" + "\n".join(rows) + "\n"


def test_a_column_of_numbers_that_a_few_cells_spoil_stays_one_and_its_lines_are_named(walk):
    cells = [str(n) for n in range(100)]
    cells[10], cells[50] = "12 apples", "x1"
    seen = walk("spoilt.csv", numbers(cells))
    assert seen.declared["amount"] == "float"
    assert "'amount' holds numbers, but '12 apples', 'x1' in line 12, 52." in seen.init.out.replace("\n ", "")
    assert seen.reasons == [
        "12: 'amount' holds numbers, and '12 apples' is none. Correct it, or leave it out.",
        "52: 'amount' holds numbers, and 'x1' is none. Correct it, or leave it out.",
    ]


def test_init_names_the_rows_that_it_passes_over(walk):
    seen = walk("short.csv", numbers(range(60)) + "1\n1,2,3,4\n" + "5,6,1\n" * 9)
    said = " ".join(seen.init.out.replace("\n ", "").split())
    assert "2 rows cannot be read, the first in line 62: the row has 1 cells and the header has 3." in said
    assert [reason.split(":")[0] for reason in seen.reasons] == ["62", "63"]


@pytest.mark.parametrize("cell", ["1e300", "12345678901234567890123"])
def test_init_names_numbers_that_no_task_takes(walk, cell):
    seen = walk("large.csv", numbers([*range(60), cell]))
    assert "A cell of 'amount', the first in line 62, cannot be sent" in " ".join(
        seen.init.out.replace("\n ", "").split()
    )
    assert [reason.split(":")[0] for reason in seen.reasons] == ["62"]


def test_brackets_are_a_minus_as_accountants_write_it(walk):
    cells = [f"($1,{n}.50)" if n % 2 else f'"$1,{n}.50"' for n in range(100, 160)]
    seen = walk("profit.csv", numbers([cell if cell.startswith('"') else f'"{cell}"' for cell in cells]))
    assert seen.declared["amount"] == "float"
    assert [row["features"]["amount"] for row in seen.records[:2]] == [1100.5, -1101.5]


def test_a_column_is_no_silent_category_because_of_words_or_broken_dates(walk):
    cells = [["1", "2", "5 km", "9 km"][n % 4] if n % 3 else str(n) for n in range(100)]
    seen = walk("km.csv", numbers(cells))
    said = " ".join(seen.init.out.replace("\n ", "").split())
    assert seen.declared["amount"] == "string"
    assert "Most cells of 'amount' are numbers, but '5 km', '9 km' are none" in said
    (seen.path.parent / "headrace.toml").unlink()
    seen = walk("days.csv", numbers([f"2026-01-{n % 28 + 1:02}" if n % 9 else "soon" for n in range(100)], name="day"))
    assert "Most cells of 'day' are dates, but 'soon' are none" in " ".join(seen.init.out.replace("\n ", "").split())


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("{} m²", "'amount' holds numbers with a unit, such as '10 m²', which are taken for strings."),
        ("{}.5kg", "'amount' holds numbers with a unit, such as '10.5kg', which are taken for strings."),
        ('"Feb {}, 2026"', "'amount' holds dates or times, such as 'Feb 10, 2026', which are taken for strings."),
        ("{}-Feb-2026", "'amount' holds dates or times, such as '10-Feb-2026', which are taken for strings."),
        ("9:{} PM", "'amount' holds dates or times, such as '9:10 PM', which are taken for strings."),
    ],
)
def test_numbers_with_a_unit_and_dates_in_words_are_no_silent_categories(walk, cell, said):
    seen = walk("cells.csv", numbers([cell.format(n % 28 + 10) for n in range(100)]))
    assert said in " ".join(seen.init.out.replace("\n ", "").split())


def test_codes_and_words_are_not_doubted(walk):
    seen = walk("codes.csv", numbers([f"{n % 30}{'ABCDEF'[n % 6]}" if n % 2 else "May be" for n in range(100)]))
    assert "!" not in seen.init.out


@pytest.mark.parametrize(
    ("labels", "options", "kind", "said"),
    [
        (["1"] * 100, [], "binary", "The label is always '1': there is nothing to learn."),
        (["0"] * 97 + ["1"] * 3, [], "binary", "Only 3 % of the labels are '1'."),
        (
            [f"l{n}" for n in range(100)],
            [],
            "multiclass",
            "is 'label' an id, or a text?",
        ),
        (
            [str(n) for n in range(100)],
            ["--kind", "multiclass"],
            "multiclass",
            "or is it a regression (--kind regression)?",
        ),
        (
            [str(n % 40) for n in range(120)],
            [],
            "multiclass",
            "40 different numbers, which become classes. Are they amounts?",
        ),
        ([str(n % 10) for n in range(120)], [], "multiclass", ""),
        ([str(n) for n in range(100)], [], "regression", ""),
        (["cat", "dog"] * 50, [], "binary", "'dog' is true, being the last in the alphabet, and 'cat' false."),
        (["ham", "ham", "spam"] * 40, [], "binary", "'spam' is true, being the rarer, and 'ham' false."),
        (
            ["good", "bad", "good"] * 40,
            [],
            "binary",
            "'bad' is true, being the rarer, and 'good' false. --positive 'good' swaps them.",
        ),
        (["4", "2", "2"] * 40, [], "binary", "'4' is true, being the larger, and '2' false."),
        (["cat", "dog"] * 50, ["--kind", "binary"], "binary", "'dog' is true"),
        (["cat", "dog"] * 50, ["--kind", "multiclass"], "multiclass", "--kind binary gives one probability"),
        (["cat", "dog"] * 50, ["--positive", "dog"], "binary", ""),
        (["1", "2"] * 50, [], "binary", ""),
        (["-1", "1"] * 50, [], "binary", ""),
        (["0.0", "1.0"] * 50, [], "binary", ""),
        (["Y", "N"] * 50, [], "binary", ""),
        (["-", "+"] * 50, [], "binary", ""),
        (["nein", "ja"] * 50, [], "binary", ""),
        (["none", "some", "many"] * 40, [], "multiclass", ""),
        (["1", "2"] * 50, ["--kind", "multiclass"], "multiclass", ""),
        (["yes", ""] * 50, [], "binary", "50 rows have no label."),
    ],
)
def test_init_says_what_is_doubtful_of_the_label(walk, labels, options, kind, said):
    rng = random.Random(1)
    seen = walk("labels.csv", numbers([rng.randint(0, 5) for _ in labels], labels), *options)
    assert seen.task.kind == kind
    assert said in " ".join(seen.init.out.replace("\n ", "").split())
    if kind == "binary" and len(set(labels)) == 2 and "" not in labels:
        assert {row["label"] for row in seen.records} == {True, False}
    positive = {"1": True, "2": "4" not in labels, "dog": True, "Y": True, "1.0": True, "+": True, "ja": True}.get(
        labels[1]
    )
    if kind == "binary" and positive and labels[0] != labels[1]:
        assert seen.records[1]["label"] is True


@pytest.mark.parametrize("labels", [("Yes", "yes"), ("1", "1.0")])
def test_a_label_that_is_written_in_two_ways_is_constant(walk, labels):
    seen = walk("labels.csv", numbers(range(100), labels * 50))
    assert f"The label is always '{labels[0]}': there is nothing to learn." in seen.init.out


def test_init_warns_of_a_feature_that_predicts_the_label_alone(walk):
    rng = random.Random(2)
    labels = [str(rng.randint(0, 1)) for _ in range(200)]
    paid = [f"{rng.random() + 2 * int(label):.3f}" for label in labels]
    seen = walk("leak.csv", numbers(paid, labels, "refund"))
    assert "'refund' predicts the label alone." in seen.init.out
    assert "'other' predicts" not in seen.init.out


def test_init_says_which_column_it_would_take_for_the_label(headrace, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b,churn\n1,2,yes\n3,4,no\n")
    called = headrace("init", "--config", tmp_path / "headrace.toml", path)
    assert called.status == 2
    assert "It may be 'churn', with the values yes, no: add --label 'churn'." in called.err


def test_a_time_is_the_feature_where_there_is_no_other(walk):
    rows = ["month,passengers", *(f"{1949 + n // 12}-{n % 12 + 1:02},{112 + n * 7 % 50}.5" for n in range(ROWS))]
    seen = walk("airline.csv", "\n".join(rows), "--label", "passengers")
    assert seen.records[1] == {"features": {"month": -660009600.0}, "label": 119.5}
    seen.path.unlink()
    (seen.path.parent / "headrace.toml").unlink()
    seen = walk("flow.csv", "\n".join(rows).replace("month", "time"), "--label", "passengers")
    assert (seen.task.columns.time, seen.declared) == (None, {"time": "float"}), "before 1970 there are no event times"


def test_the_event_time_is_found_by_name_or_order_and_is_a_feature_too(walk):
    """Its hour, weekday and month are worth learning; a question may lack it."""
    for name, step, found in (("time", 7, "time"), ("bought on", 1, "bought on"), ("bought on", 7, None)):
        rows = [
            f"{name},pages,label",
            *(f"2026-{n * step % 60 // 28 + 1:02}-{n * step % 28 + 1:02},{n % 5},{n // 2 % 2}" for n in range(ROWS)),
        ]
        (walk.folder / "headrace.toml").unlink(missing_ok=True)
        seen = walk("visits.csv", "\n".join(rows))
        assert seen.task.columns.time == found
        assert seen.declared == {name: "float", "pages": "float"}
        assert seen.task.features[name].step == "date"
        assert seen.optional == ({name} if found else set())
        assert seen.records[1]["features"] == {name: seen.records[1].get("time", 1767830400.0), "pages": 1.0}
        assert seen.row(name).endswith("event time, date" if found else "hour, day, month")
        assert ("its dates stand in the order of the rows" in seen.said) == (found == "bought on")


HEXES = [f"{n * 2654435761 % 2**40:010x}" for n in range(ROWS)]


@pytest.mark.parametrize(
    ("cells", "becomes"),
    [
        ([str(uuid.UUID(int=n * 2**90 + n)) for n in range(ROWS)], "the id"),
        (HEXES, "the id"),
        ([f"INV-{1000 + n * 37 % 60}" for n in range(ROWS)], "the id"),
        ([f"C{n}" for n in range(ROWS)], "the id"),
        ([f"{7000 + n}-{chr(65 + n % 26)}{chr(65 + n // 26)}" for n in range(ROWS)], "the id"),
        ([f"{7 + n}" for n in range(ROWS)], "left out: a count"),
        ([f"{1.5 + n * 0.37:.2f}" for n in range(ROWS)], "a number"),
        ([f"{n * 0.001:.3f}" for n in range(ROWS)], "a number"),
        ([f"{1950 + n}" for n in range(ROWS)], "a number"),
        ([f"{n * 3}" for n in range(ROWS)], "a number"),
        ([f"{n * 7 % 60}" for n in range(ROWS)], "a number"),
        ([f"model {n}" for n in range(ROWS)], "left out: unique"),
        ([f"C{n % 30}" for n in range(ROWS)], "a category"),
        ([HEXES[n] for n in range(ROWS - 1)] + [HEXES[0]], "left out: unique"),
    ],
    ids=["UUID", "hex", "prefix and number", "a letter and number", "codes", "counts the rows", "floats", "thousandths", "years",
         "steps of 3", "shuffled", "names", "categories", "one twice"],
)  # fmt: skip
def test_a_column_that_looks_like_an_identifier_is_no_feature(walk, cells, becomes):
    seen = walk("refs.csv", numbers(cells, name="ref"))
    assert seen.row("ref").endswith(becomes)
    assert seen.task.columns.id == ("ref" if becomes == "the id" else None)
    assert ("ref" in seen.declared) == (becomes in ("a number", "a category"))
    assert ("'ref' is taken for the id" in seen.said) == (becomes == "the id")
    assert ("'ref' counts the rows, and is left out." in seen.said) == (becomes == "left out: a count")
    assert ("id" in seen.records[0]) == (becomes == "the id")


def test_a_column_that_counts_the_rows_is_a_feature_where_there_is_no_other(walk):
    rows = ["n,label", *(f"{n},{n * 1.5}" for n in range(ROWS))]
    seen = walk("trend.csv", "\n".join(rows))
    assert seen.declared == {"n": "float"}
    assert "counts the rows" not in seen.said


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_one_json_array_is_read_as_its_rows_are(walk, indent, encoding):
    """As pandas and many web services write tables; brackets and quotes in texts do not end a row."""
    odd = ["}, {", 'say "]"', "Évora", "\\"]
    rows = [row | {"note": odd[n % 4]} for n, row in enumerate(ROWS_OF_JSON)]
    text = json.dumps(rows, indent=indent, ensure_ascii=False)
    seen = walk("visits.json", text.encode(encoding), "--label", "bought", "--id", "visit")
    assert (seen.reasons, len(seen.records)) == ([], ROWS)
    assert seen.records[7]["features"]["note"] == "\\"
    assert [sample.line for sample in seen.samples[:3]] == ([1, 2, 3] if indent is None else [2, 11, 20])


def test_records_may_stand_in_an_array_and_what_is_no_object_is_refused(walk):
    records = [{"features": {"a": n % 5, "b": "x\ny"}, "label": n % 2 == 0} for n in range(ROWS)]
    seen = walk("records.json", json.dumps(records, indent=1))
    assert seen.records == records
    assert b"\n" not in seen.samples[0].value
    rows = [{"a": n % 5, "label": n % 2 == 0} for n in range(ROWS)]
    (walk.folder / "headrace.toml").unlink()
    seen = walk("rows.json", json.dumps([*rows, 5, *rows])[:-1] + ', {"a": 1')
    assert seen.reasons == [f"{ROWS + 1}: the line is no JSON object.", f"{2 * ROWS + 2}: the line is no JSON object."]


def test_a_header_with_numbers_in_it_is_doubted(walk):
    """The first line of the iris table that comes with scikit-learn counts rows and columns."""
    seen = walk(
        "iris.csv",
        "150,4,setosa,versicolor,virginica\n" + "5.1,3.5,1.4,0.2,0\n4.9,3.0,1.5,0.1,1\n" * 30,
        "--label",
        "virginica",
    )
    assert "Columns are called '150', '4': is the first line no header?" in seen.said


def test_dates_that_differ_in_their_year_alone_are_numbers(walk):
    """Hour, weekday and month say nothing of them."""
    rows = [f"{1970 + n % 12}-01-01,{n % 5},{n // 2 % 2}" for n in range(ROWS)]
    seen = walk("cars.csv", "\n".join(["Year,other,label", *rows]))
    assert seen.row("Year").endswith("a number")
    assert (seen.declared["Year"], seen.task.features["Year"].step) == ("float", None)


def test_no_feature_of_a_record_is_left_out(walk):
    """A record is sent as it is, and a feature that is not declared would be refused."""
    lines = [
        {
            "id": f"r{n}",
            "features": {"n": n, "user_id": f"u{n}", "name": f"no {n}", "uuid": HEXES[n]},
            "label": n % 2 == 0,
        }
        for n in range(ROWS)
    ]
    seen = walk("records.ndjson", "\n".join(map(json.dumps, lines)))
    assert seen.declared == {"n": "float", "user_id": "string", "name": "string", "uuid": "string"}
    assert {seen.task.features[name].step["use"] for name in ("user_id", "name", "uuid")} == {"hashed"}
    assert not seen.reasons


def test_init_adds_a_task_to_settings_that_are_there(headrace, tmp_path):
    config = tmp_path / "headrace.toml"
    (tmp_path / "one.csv").write_text(PLAIN)
    (tmp_path / "two.csv").write_text(PLAIN)
    assert headrace("init", "--config", config, tmp_path / "one.csv").status == 0
    before = config.read_text()
    called = headrace("init", "--config", config, "--add", tmp_path / "two.csv")
    assert called.status == 0, called.err
    assert config.read_text().startswith(before)
    assert list(tomllib.loads(config.read_text())["tasks"]) == ["one", "two"]
    again = headrace("init", "--config", config, "--add", tmp_path / "two.csv")
    assert again.status == 1
    assert "has a task 'two' already" in again.err


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("book.xlsx", b"PK\x03\x04rest", "Save the sheet as CSV"),
        ("cut.csv.gz", gzip.compress(PLAIN.encode())[:-30], "it ends too early"),
        ("broken.csv.zst", zstandard.compress(PLAIN.encode())[:30] + b"\0" * 40, "cannot be unpacked"),
        (
            "counts.csv",
            b"569,30,malignant,benign\n" + b"1.5,2.5,3,4,5,0\n" * 30,
            "its header has 4 cells, and its rows have 6",
        ),
        ("no.csv", b"39,77516.5,13,0\n50,83311.1,13,1\n", "has no header"),
        (
            "split.json",
            b'{"columns": ["a", "label"], "data": [[1, 2]]}',
            "columns left out, which hold objects or lists: columns, data.",
        ),
        ("image.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is no text"),
    ],
)
def test_a_file_that_is_no_table_is_named_with_what_to_do(headrace, tmp_path, name, data, reason):
    path = tmp_path / name
    path.write_bytes(data)
    called = headrace("init", "--config", tmp_path / "headrace.toml", path, "--label", "label")
    assert called.status == 2, called.out
    assert reason in called.err
    assert "Traceback" not in called.err


# several files, standard input, and options


def task_of(folder, more="", kind="binary"):
    config = folder / "headrace.toml"
    config.write_text(f'[tasks.ads]\nkind = "{kind}"\n{more}')
    return load(str(config)).tasks["ads"]


def samples_of(task, *names, **named):
    source = open_source([str(name) for name in names], task, Named(**named))
    return source, list(source.samples)


def test_several_files_are_read_one_after_the_other_each_by_its_own_header_and_delimiter(tmp_path):
    (tmp_path / "b.csv").write_text("label;town\n1;Porto\n")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"town,label\nParis,0\nLyon,oops\n"))
    (tmp_path / "c.jsonl").write_text('{"town": "Rome", "label": true}\n')
    source, samples = samples_of(task_of(tmp_path), tmp_path / "*.csv*", tmp_path / "c.jsonl")
    assert [(Path(sample.file).name, sample.line, bool(sample.reason)) for sample in samples] == [
        ("a.csv.gz", 2, False), ("a.csv.gz", 3, True), ("b.csv", 2, False), ("c.jsonl", 1, False),
    ]  # fmt: skip
    assert [json.loads(one.value) for one in samples if not one.reason] == [
        {"features": {"town": town}, "label": label} for town, label in (("Paris", False), ("Porto", True), ("Rome", True))
    ]  # fmt: skip
    assert source.done() == source.total == sum(path.stat().st_size for path in tmp_path.glob("?.*"))


def test_training_and_a_batch_model_read_the_same_files(tmp_path):
    (tmp_path / "a.csv").write_text("town;price;sold\n" + "Porto;1,5;yes\nParis;NA;no\n" * 30)
    (tmp_path / "b.csv").write_text("town;price;sold\nPorto;x;yes\nParis;2,5;no\n")
    features = 'features = { town = { type = "string" }, price = { type = "float", optional = true } }\n'
    task = task_of(tmp_path, features + '[tasks.ads.columns]\nlabel = "sold"\n')
    training = Training(task, [str(tmp_path / "*.csv")], Named(), skip_invalid=True)
    first, second = training.run(2, Progress(disable=True))
    assert (first.rows, first.learned, first.left_out) == (62, 61, 1)
    assert (second.rows, second.left_out) == (62, 1)
    rows, labels = read(open_source(str(tmp_path / "a.csv"), task).samples)
    assert rows[:2] == [{"town": "Porto", "price": 1.5}, {"town": "Paris"}]
    assert labels[:2] == [True, False]


def test_a_later_file_without_a_column_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("town,label\nParis,0\n")
    (tmp_path / "b.csv").write_text("town,lable\nParis,0\n")
    source = open_source([str(tmp_path / "a.csv"), str(tmp_path / "b.csv")], task_of(tmp_path))
    with pytest.raises(click.UsageError, match="Did you mean 'lable'?"):
        list(source.samples)


def test_standard_input_is_read_like_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(b"town,label\nParis,yes\n"))))
    source, (sample,) = samples_of(task_of(tmp_path), "-")
    assert json.loads(sample.value) == {"features": {"town": "Paris"}, "label": True}
    assert source.total == 0
    with pytest.raises(click.UsageError, match="can be read once"):
        open_source(["-", "-"], task_of(tmp_path))


@pytest.mark.parametrize("name", ["none*.csv", "none.csv", "."])
def test_what_is_no_file_is_named(tmp_path, monkeypatch, name):
    task = task_of(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.UsageError, match="cannot be read"):
        open_source([name], task)


def test_an_option_overrides_the_columns_of_the_task(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,sold,bought,at\n1,x,no,yes,1767225600000\n")
    task = task_of(tmp_path, '[tasks.ads.columns]\nlabel = "sold"\nkey = "b"\n')
    _, (sample,) = samples_of(task, tmp_path / "a.csv")
    assert (sample.key, json.loads(sample.value)["label"]) == ("x", False)
    _, (sample,) = samples_of(task, tmp_path / "a.csv", label="bought", key="a")
    assert (sample.key, json.loads(sample.value)["label"]) == ("1", True)


def test_epoch_times_are_times_only_where_the_name_says_so(tmp_path):
    (tmp_path / "a.csv").write_text("created_at,views,label\n1767225600000,1767225600000,1\n")
    _, (sample,) = samples_of(task_of(tmp_path), tmp_path / "a.csv")
    assert json.loads(sample.value)["features"] == {"created_at": 1767225600.0, "views": 1767225600000.0}


def test_a_row_of_json_with_a_new_key_is_refused_unless_features_are_declared(tmp_path):
    lines = ['{"a": 1, "label": true}'] * 1000 + ['{"a": 1, "b": 2, "label": true}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    _, samples = samples_of(task_of(tmp_path), tmp_path / "a.jsonl")
    assert [sample.reason for sample in samples if sample.reason] == [
        "the key 'b' is new: the first 1,000 rows lack it. Declare the features."
    ]
    declared = 'features = { a = { type = "float" }, b = { type = "float", optional = true } }'
    _, samples = samples_of(task_of(tmp_path, declared), tmp_path / "a.jsonl")
    assert json.loads(samples[-1].value)["features"] == {"a": 1, "b": 2}


def test_a_row_of_json_that_holds_a_list_is_refused_and_a_column_of_lists_left_out(tmp_path):
    lines = ['{"a": 1, "tags": [1], "label": true}'] * 1000 + ['{"a": [1], "tags": [], "label": true}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    source, samples = samples_of(task_of(tmp_path), tmp_path / "a.jsonl")
    assert "which hold objects or lists: tags." in source.notes[0]
    assert json.loads(samples[0].value)["features"] == {"a": 1}
    assert samples[-1].reason.startswith("'a' holds an object or a list.")


def test_bytes_that_are_no_utf8_far_down_in_a_file_are_found_by_init(headrace, tmp_path):
    path = tmp_path / "far.csv"
    rows = [f"{'plain ' * 10}{n % 5},{n % 2}" for n in range(6000)]
    path.write_bytes(("town,label\n" + "\n".join([*rows, "Évora,1", ""])).encode("latin-1"))
    called = headrace("init", "--config", tmp_path / "headrace.toml", path)
    assert called.status == 0
    assert "far.csv: It is not UTF-8, and is read as cp1252" in " ".join(called.out.split())
    task = load(str(tmp_path / "headrace.toml")).tasks["far"]
    assert task.columns.encoding == "cp1252"
    assert json.loads(list(open_source([str(path)], task).samples)[-1].value)["features"] == {"town": "Évora"}


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize(
    "cells", [["a", "b"], ["a", "b", "c"], ["1", "x"], ["", "NA"], ["2026-01-01", "2026-02-01"], ["true", "false"]]
)
def test_no_label_and_no_kind_break_init(headrace, tmp_path, kind, cells):
    (tmp_path / "a.csv").write_text(numbers(list(range(100)), (cells * 50)[:100]))
    called = headrace("init", "--config", tmp_path / "headrace.toml", tmp_path / "a.csv", "--kind", kind)
    is_open = kind == "binary" and len(cells) == 3
    assert called.status == (2 if is_open else 0), called.err
    assert ("which label means true?" in called.err) == is_open


def test_a_question_is_written_like_the_files(tmp_path):
    features = 'features = { price = { type = "float" }, day = { type = "float" }, town = { type = "string", optional = true } }\n'
    task = task_of(tmp_path, features + '[tasks.ads.columns]\ndecimal = ","\ndates = { day = "d/m/y" }\n')
    asked = parse_features(("price=1.234,50 €", "day=1.1.2026", "town=NA"), None, task)
    assert asked == {"price": 1234.5, "day": 1767225600.0}
    assert parse_features(("a=1.5", "b=x", "c=true"), None, task_of(tmp_path)) == {"a": 1.5, "b": "x", "c": True}
    with pytest.raises(click.UsageError, match="'day' holds dates such as 31/01/2026, and '1970' is none"):
        parse_features(("day=1970",), None, task)
    with pytest.raises(click.UsageError, match="'price' holds numbers, and 'much' is none"):
        parse_features(("price=much",), None, task)

"""Several files of one task, as people have them: one a day, some with a column more, and some of another make."""

import gzip
import io
import json
import sys
import tomllib

import pytest

from headrace.app.files.several import FILES_READ
from headrace.app.files.sources import open_source
from headrace.app.settings import load

HEADER = "town,price,label\n"


def rows(count, price="{n}.5", label="{yes}"):
    return "".join(
        f"{['Porto', 'Paris'][n % 2]},{price.format(n=n)},{label.format(yes=['no', 'yes'][n % 2])}\n"
        for n in range(count)
    )


@pytest.fixture
def looked(headrace, tmp_path, monkeypatch):
    """`headrace init` for files with these contents: what it said, as one line, the task, and the samples of `send`."""
    monkeypatch.chdir(tmp_path)

    def look(files, *words, names=None):
        for name, text in files.items():
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        (tmp_path / "headrace.toml").unlink(missing_ok=True)
        called = headrace("init", *(names or files), *words)
        assert called.status == 0, called.err
        assert max(map(len, called.out.split("Wrote")[0].splitlines())) <= 80
        (task,) = load("headrace.toml").tasks.values()
        source = open_source(list(names or files), task)
        return " ".join(called.out.split()), task, list(source.samples), source

    return look


def test_all_files_are_looked_at_and_a_column_that_some_lack_is_optional(looked):
    files = {
        "a.csv": HEADER + rows(30),
        "b.csv.gz": gzip.compress(("label;price;town\n" + "yes;3.5;Rome\n" * 30).encode()),
        "c.jsonl": "".join(json.dumps({"town": "Lyon", "label": True, "stars": n}) + "\n" for n in range(30)),
    }
    said, task, samples, source = looked(files)
    assert "a.csv and 2 more files: 90 rows, 4 columns." in said
    assert "The column 'price' is missing in c.jsonl." in said
    assert "Only c.jsonl has the column 'stars'." in said
    declared = {name: (one.type, one.optional) for name, one in task.features.items()}
    assert declared == {"town": ("string", False), "price": ("float", True), "stars": ("float", True)}
    assert [sample.reason for sample in samples if sample.reason] == []
    assert json.loads(samples[-1].value) == {"features": {"town": "Lyon", "stars": 29}, "label": True}
    assert source.notes == []


def test_a_column_that_only_a_later_file_has_is_sent_too(tmp_path, monkeypatch):
    """Also where no feature is declared; a column that is not declared is said, with its file, where some are."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("town,label\nPorto,yes\n")
    (tmp_path / "b.csv").write_text("town,price,label\nPorto,3,no\n")
    for declared, more in (("", {"price": 3.0}), ('features = { town = { type = "string" } }', {})):
        (tmp_path / "headrace.toml").write_text(f'[tasks.ads]\nkind = "binary"\n{declared}\n')
        source = open_source(["a.csv", "b.csv"], load("headrace.toml").tasks["ads"])
        assert [json.loads(one.value)["features"] for one in source.samples] == [
            {"town": "Porto"},
            {"town": "Porto"} | more,
        ]
        notes = ["b.csv: columns left out, not being declared in the settings: price."] if declared else []
        assert source.notes == notes


def test_types_that_disagree_are_said_with_their_files(looked):
    files = {
        "a.csv": HEADER + rows(30),
        "b.csv": HEADER + rows(30, price="{n} km"),
        "c.csv": HEADER + rows(30),
    }
    said, task, samples, _ = looked(files, names=["*.csv"])
    assert "'price' holds numbers in a.csv and c.csv, and strings in b.csv." in said
    assert task.features["price"].type == "string"
    assert not any(sample.reason for sample in samples)


def test_the_lines_of_spoilt_cells_have_their_file(looked):
    spoilt = rows(30).replace("Porto,4.5", "Porto,oops").replace("Paris,7.5", "Paris,4 km")
    said, _, samples, _ = looked({"a.csv": HEADER + rows(60), "b.csv": HEADER + spoilt})
    assert "'price' holds numbers, but 'oops', '4 km' in line 6 of b.csv, 9 of b.csv." in said
    assert [(sample.file, sample.line) for sample in samples if sample.reason] == [("b.csv", 6), ("b.csv", 9)]


def test_a_misspelt_column_and_another_decimal_sign_are_said(looked):
    files = {
        "a.csv": HEADER + rows(30),
        "b.csv": "town;prise;label\n" + rows(30, price="{n}.5").replace(",", ";").replace(".5", ",5"),
    }
    said, *_ = looked(files)
    assert "Only b.csv has the column 'prise'. Did you mean 'price'?" in said
    assert "Numbers have a decimal comma in b.csv and a point in a.csv: write them alike." in said


@pytest.mark.parametrize(
    ("others", "encoding", "note"),
    [("Porto", "cp1252", ""), ("Évora", None, "The files are in several encodings: a.csv in utf-8, b.csv in cp1252.")],
)
def test_encodings_that_differ_are_each_found_by_looks(looked, others, encoding, note):
    files = {
        "a.csv": HEADER + rows(30).replace("Porto", others),
        "b.csv": (HEADER + rows(30)).replace("Porto", "Málaga").encode("cp1252"),
    }
    said, task, samples, _ = looked(files)
    assert task.columns.encoding == encoding
    assert note in said
    assert {json.loads(sample.value)["features"]["town"] for sample in samples} == {others, "Málaga", "Paris"}


def test_of_very_many_files_some_are_looked_at(looked):
    files = {f"{n:03}.csv": HEADER + rows(2) for n in range(FILES_READ + 50)}
    said, _, samples, _ = looked(files, names=["*.csv"])
    assert f"000.csv and 149 more files: {2 * FILES_READ} rows" in said
    assert "A sample of 100 of the 150 files was looked at." in said
    assert len(samples) == 300


def test_one_note_stands_for_all_files_of_which_it_is_true(looked):
    files = {
        f"{n}.csv": ("," + HEADER + "".join(f"{n},{row}\n" for n, row in enumerate(rows(9).splitlines())))
        for n in range(5)
    }
    said, *_ = looked(files)
    assert said.count("looks like the index of a data frame") == 1
    assert "0.csv, 1.csv, 2.csv and 2 more files: its first column has no name" in said


def test_an_empty_file_among_others_is_named(headrace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text(HEADER + rows(30))
    assert headrace("init", "a.csv").status == 0
    (tmp_path / "b.csv").write_text("")
    for words in (["init", "--add", "--task", "b", "a.csv", "b.csv"], ["init", "--add", "--task", "c", "*.csv"]):
        called = headrace(*words)
        assert called.status == 2
        assert "b.csv is empty." in called.err


def test_init_reads_standard_input(headrace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress((HEADER + rows(30)).encode()))))
    called = headrace("init", "-", "--task", "towns")
    assert called.status == 0, called.err
    assert called.out.startswith("standard input: 30 rows, 3 columns.")
    assert "headrace send towns -" in called.out
    assert tomllib.loads((tmp_path / "headrace.toml").read_text())["tasks"]["towns"]["columns"]["label"] == "label"
    twice = headrace("init", "--config", "other.toml", "-", "-")
    assert (twice.status, "can be read once" in twice.err) == (2, True)

"""Files of the kinds that people have, all made here, each with what a person reads in it.

`KINDS` has a row for each kind. Behind all of them is the same simple truth: the label depends on a number and on a word of the row, so a
model that reads both is better than one that looks at no feature.
"""

import bz2
import csv
import datetime as dt
import gzip
import io
import json
import lzma
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import zstandard

ROWS = 400

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Kind(NamedTuple):
    """A kind of file: its name, what is peculiar, how it is made, its label, the kind of its task, and what its columns are.

    Parameters
    ----------
    file
        The name of the file.
    has
        What readers of files stumble over.
    make
        Returns the bytes.
    label
        The column to predict.
    kind
        The kind of task that a person makes of it.
    numbers, words
        The columns that hold numbers (or dates, which become numbers), and words.
    optional
        The columns in which values are missing.
    id
        The column of the id, if there is one.
    """

    file: str
    has: str
    make: Callable[[], bytes]
    label: str
    kind: str
    numbers: Sequence[str]
    words: Sequence[str] = ()
    optional: Sequence[str] = ()
    id: str | None = None


class Truth(NamedTuple):
    """A row: an amount, a word, another number that says nothing, and what follows from them."""

    at: int
    amount: float
    town: str
    other: int
    score: float

    @property
    def yes(self) -> bool:
        return self.score > 55


TOWNS = {"Porto": 0.0, "Paris": 10.0, "Rome": 30.0}


def truths() -> list[Truth]:
    """Return the rows, always the same."""
    rng, rows = random.Random(15), []
    for at in range(ROWS):
        amount, town = rng.randrange(1, 10_000) / 100, rng.choice(list(TOWNS))
        rows.append(Truth(at, amount, town, rng.randrange(50), amount * 0.7 + TOWNS[town] + rng.gauss(0, 4)))
    return rows


def lines(header: str, row: Callable[[Truth], Iterable[Any]], sep: str = ",", end: str = "\n") -> str:
    """Return a text of a header and a line for each row."""
    return end.join([header, *(sep.join(map(str, row(one))) for one in truths()), ""])


def points(number: float) -> str:
    """Write a number as in Germany: 1.234,50."""
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def auto_mpg() -> bytes:
    return lines(
        "mpg,cylinders,horsepower,weight,car name",
        lambda one: [f"{one.score:.1f}", 4 + one.at % 3, "?" if one.at % 20 == 3 else f"{one.amount:.1f}",
                     2000 + one.other, f"model {one.at}"],
    ).encode()  # fmt: skip


def adult() -> bytes:
    return lines(
        "age, workclass, hours, native-country, income",
        lambda one: [one.other, "?" if one.at % 20 == 4 else one.town, f"{one.amount:.0f}", "United-States",
                     ">50K" if one.score > 65 else "<=50K"],
        ", ",
    ).encode()  # fmt: skip


def telco() -> bytes:
    return lines(
        "customerID,gender,tenure,TotalCharges,Churn",
        lambda one: [f"{7590 + one.at}-{chr(65 + one.at % 26)}HV{chr(65 + one.at // 26)}", one.town, one.other,
                     " " if one.at % 40 == 7 else f"{one.amount * 30:.2f}", "Yes" if one.yes else "No"],
    ).encode()  # fmt: skip


def german() -> bytes:
    text = lines(
        "Stadt;Preis;Rabatt;Größe;Bestellt am;gekauft",
        lambda one: [one.town.replace("Rome", "Köln"), f"{points(one.amount * 100)} €", f"{one.other},5 %",
                     "k. A." if one.at % 30 == 5 else f"{one.other},25", f"{one.at % 28 + 1:02}.{one.at % 12 + 1:02}.2026",
                     "ja" if one.yes else "nein"],
        ";", "\r\n",
    )  # fmt: skip
    return ("sep=;\r\n" + text).encode("cp1252")


def r_frame() -> bytes:
    return lines(
        '"","Ozone","Wind","Town","Temp"',
        lambda one: [f'"{one.at + 1}"', "NA" if one.at % 9 == 2 else one.other, f"{one.amount:.2f}", f'"{one.town}"',
                     f"{one.score:.3f}"],
    ).encode()  # fmt: skip


def r_table() -> bytes:
    return lines(
        '"amount" "town" "sold"',
        lambda one: [f'"row {one.at}"', f"{one.amount:.2f}", f'"{one.town}"', 2 if one.yes else 1],
        " ",
    ).encode()


def pandas_frame() -> bytes:
    return lines(
        ",amount,town,vip,label",
        lambda one: [one.at, "" if one.at % 25 == 3 else f"{one.amount}", one.town, one.other > 20, float(one.yes)],
    ).encode()


def plain(sep: str = ",", end: str = "\n") -> str:
    return lines(f"town{sep}amount{sep}label", lambda one: [one.town, f"{one.amount:.2f}", int(one.yes)], sep, end)


def latin_1() -> bytes:
    return plain().replace("Porto", "Évora").replace("Rome", "Málaga").encode("latin-1")


def utf_16() -> bytes:
    text = lines("Ville;Montant;Acheté", lambda one: [one.town, f"{one.amount:.2f}".replace(".", ","), "oui" if one.yes else "non"], ";", "\r\n")  # fmt: skip
    return ("sep=;\r\n" + text).encode("utf-16")


def money() -> bytes:
    return lines(
        "town,price,discount,views,result",
        lambda one: [one.town, f'"${one.amount * 100:,.2f}"', f"{one.other} %", f'"{1000 + one.other:,}"', "won" if one.yes else "lost"],
    ).encode()  # fmt: skip


def quoted() -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["note", "amount", "label"])
    writer.writerows(
        [f'from {one.town},\nsaid "yes"; or so', f"{one.amount:.2f}", "yn"[not one.yes]] for one in truths()
    )
    return text.getvalue().encode()


def pipes() -> bytes:
    return lines(
        "town|amount|when|other|class",
        lambda one: [one.town, "null" if one.at % 30 == 1 else f"{one.amount:.2f}", f"{one.at % 28 + 1}/{one.at % 12 + 1}/2026 10:30",
                     "-" if one.at % 30 == 2 else one.other, "low" if one.score < 30 else "high" if one.yes else "middle"],
        "|",
    ).encode()  # fmt: skip


def words() -> bytes:
    phrases = {"Porto": "see you at home for dinner", "Paris": "are you there yet my dear friend", "Rome": "win a free prize and call now to claim it"}  # fmt: skip
    return lines(
        "text\tlabel",
        lambda one: [f"{phrases[one.town]} number {one.other}", "spam" if one.town == "Rome" else "ham"],
        "\t",
    ).encode()


def ids() -> bytes:
    return lines(
        "nr,trip,started,amount,town,late",
        lambda one: [one.at + 1, f"{one.at * 2654435761 % 2**48:012x}", (START + dt.timedelta(hours=one.at)).isoformat(),
                     f"{one.amount:.2f}", one.town, "t" if one.yes else "f"],
    ).encode()  # fmt: skip


def json_rows() -> bytes:
    rows = ({"town": one.town, "amount": None if one.at % 20 == 1 else one.amount, "seen": one.other > 9, "bought": one.yes} for one in truths())  # fmt: skip
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def json_records() -> bytes:
    rows = ({"id": f"r{one.at}", "key": f"u{one.other}", "features": {"town": one.town, "amount": one.amount}, "label": "late" if one.yes else "fine"} for one in truths())  # fmt: skip
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def columnar(format_: str) -> bytes:
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet

    rows = truths()
    table = pa.table({
        "town": pa.array([one.town for one in rows]).dictionary_encode(),
        "amount": pa.array([None if one.at % 20 == 1 else one.amount for one in rows]),
        "other": pa.array([one.other for one in rows], pa.int8()),
        "joined": pa.array([START + dt.timedelta(days=one.other) for one in rows], pa.timestamp("ns", "UTC")),
        "label": pa.array([one.yes for one in rows]),
    })  # fmt: skip
    sink = io.BytesIO()
    if format_ == "parquet":
        pyarrow.parquet.write_table(table, sink)
    elif format_ == "feather":
        pyarrow.feather.write_feather(table, sink)
    else:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue()


PLAIN = ("label", "binary", ["amount"], ["town"])
TYPED = ("label", "binary", ["amount", "other", "joined"], ["town"], ["amount"])

KINDS = [
    Kind("auto-mpg.csv", "`?` among numbers, names that are all different", auto_mpg, "mpg", "regression",
         ["cylinders", "horsepower", "weight"], [], ["horsepower"]),
    Kind("adult.csv", "a blank after each comma, labels `>50K` and `<=50K`", adult, "income", "binary", ["age", "hours"],
         ["workclass", "native-country"], ["workclass"]),
    Kind("telco.csv", "blank totals, `Yes` and `No`, ids", telco, "Churn", "binary", ["tenure", "TotalCharges"], ["gender"],
         ["TotalCharges"], "customerID"),
    Kind("bestellungen.csv", "German Excel: `sep=;`, Latin-1, `1.234,50 €`, `31.12.2026`, `k. A.`", german, "gekauft", "binary",
         ["Preis", "Rabatt", "Größe", "Bestellt am"], ["Stadt"], ["Größe"]),
    Kind("airquality.csv", "R's `write.csv`: row names, `NA`", r_frame, "Temp", "regression", ["Ozone", "Wind"], ["Town"], ["Ozone"]),
    Kind("table.txt", "R's `write.table`: blanks, row names without a name, labels 1 and 2", r_table, "sold", "binary", ["amount"], ["town"]),
    Kind("frame.csv", "pandas: an index without a name, labels 0.0 and 1.0", pandas_frame, "label", "binary", ["amount"], ["town", "vip"],
         ["amount"]),
    Kind("latin1.csv", "Latin-1", latin_1, *PLAIN),
    Kind("excel.txt", "Excel's Unicode text: UTF-16, `sep=;`, decimal comma, `oui` and `non`", utf_16, "Acheté", "binary", ["Montant"], ["Ville"]),
    Kind("prices.csv", '`"$1,234.50"`, `12 %`, `"1,024"`, `won` and `lost`', money, "result", "binary", ["price", "discount", "views"], ["town"]),
    Kind("bom.csv", "a mark before UTF-8, CRLF", lambda: plain(end="\r\n").encode("utf-8-sig"), *PLAIN),
    Kind("mac.csv", "lines that end with CR", lambda: plain(end="\r").encode(), *PLAIN),
    Kind("fixed.txt", "columns separated by blanks", lambda: plain("   ").encode(), *PLAIN),
    Kind("quoted.csv", "line ends and quotes in quotes, `y` and `n`", quoted, "label", "binary", ["amount"], ["note"]),
    Kind("pipes.csv", "pipes, `null`, `-`, `31/12/2026 10:30`, three classes", pipes, "class", "multiclass", ["amount", "when", "other"], ["town"],
         ["amount", "other"]),
    Kind("sms.tsv", "texts, `spam` and `ham`", words, "label", "binary", [], ["text"]),
    Kind("trips.csv", "numbers of rows, ids in hexadecimal digits, times in order, `t` and `f`", ids, "late", "binary", ["started", "amount"],
         ["town"], ["started"], "trip"),
    Kind("rows.jsonl", "JSON lines of plain rows, null", json_rows, "bought", "binary", ["amount"], ["town", "seen"], ["amount"]),
    Kind("records.ndjson", "records with `key`, labels `late` and `fine`", json_records, "label", "binary", ["amount"], ["town"]),
    Kind("x.parquet", "Parquet: categories, nulls, nanoseconds", lambda: columnar("parquet"), *TYPED),
    Kind("x.arrow", "Arrow", lambda: columnar("feather"), *TYPED),
    Kind("x.arrows", "a stream of Arrow", lambda: columnar("stream"), *TYPED),
    Kind("x.csv.gz", "gzip", lambda: gzip.compress(plain().encode()), *PLAIN),
    Kind("x.csv.zst", "zstd", lambda: zstandard.compress(plain().encode()), *PLAIN),
    Kind("x.csv.bz2", "bz2", lambda: bz2.compress(plain().encode()), *PLAIN),
    Kind("x.csv.xz", "xz", lambda: lzma.compress(plain().encode()), *PLAIN),
]  # fmt: skip

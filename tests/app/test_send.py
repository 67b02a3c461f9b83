"""`headrace send` on a real log: each valid row is appended once, to the partition of its key, with its types; a refusal names its line."""

import asyncio
import itertools
import json
import time
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaTimeoutError
from fakes.producer import Producer, starting
from harness import free_port, read_all
from river import datasets

from headrace.app.cli.delay import delayed
from headrace.app.files.sample import Sample
from headrace.learning.fold.learner import Learner
from headrace.learning.models import names_for
from headrace.learning.task import Task
from headrace.tables.kafka import topics
from headrace.tables.kafka.partitioner import partition_of

numbers = itertools.count()


class Log:
    """The event log of a task of its own, and its settings."""

    def __init__(self, folder, broker, kind="binary", partitions=1, more=""):
        self.broker, self.partitions = broker, partitions
        self.task = f"send{time.time_ns()}-{next(numbers)}"
        self.config = folder / f"{self.task}.toml"
        self.config.write_text(
            f'[broker]\nurl = "kafka://{broker}"\n[tasks.{self.task}]\nkind = "{kind}"\npartitions = {partitions}\n{more}'
        )

    def messages(self, partition=0):
        return asyncio.run(read_all(self.broker, f"{self.task}.events", partition))

    def rows(self, partition=0):
        return [json.loads(line) for message in self.messages(partition) for line in message.value.split(b"\n")]


@pytest.fixture
def log(tmp_path, broker):
    return lambda **options: Log(tmp_path, broker, **options)


def write(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


SHOP = """\
order,customer,amount,country,postcode,weekend,returned
o1,ana,12.5,PT,01234,true,1
o2,ben,3,DE,80331,false,0
o3,ana,,PT,01234,true,True
"""


def test_each_row_lands_once_in_its_order_with_its_types(headrace, log, tmp_path):
    ads, source = log(), write(tmp_path, "shop.csv", SHOP)
    called = headrace("send", ads.task, source, "--config", ads.config, "--label", "returned", "--id", "order")
    assert called.status == 0, called.err
    assert "3 rows acknowledged" in called.out
    assert ads.rows() == [
        {"id": "o1", "features": {"customer": "ana", "amount": 12.5, "country": "PT", "postcode": "01234", "weekend": True}, "label": True},
        {"id": "o2", "features": {"customer": "ben", "amount": 3.0, "country": "DE", "postcode": "80331", "weekend": False}, "label": False},
        {"id": "o3", "features": {"customer": "ana", "country": "PT", "postcode": "01234", "weekend": True}, "label": True},
    ]  # fmt: skip


def test_a_data_set_of_river_lands_whole_and_unchanged(headrace, log):
    phishing = log()
    assert headrace("send", phishing.task, "river:Phishing", "--config", phishing.config).status == 0
    expected = [{"features": features, "label": label} for features, label in datasets.Phishing()]
    assert phishing.rows() == expected


def test_keys_are_placed_by_kafkas_own_partitioner_and_kept_out_of_the_features(headrace, log, tmp_path):
    ads = log(partitions=4)
    lines = [f"user-{number % 37},{number},{number % 2}" for number in range(500)]
    source = write(tmp_path, "ads.csv", "\n".join(["user,amount,label", *lines]))
    assert headrace("send", ads.task, source, "--config", ads.config, "--key", "user").status == 0
    amounts = {}
    for partition in range(4):
        for message in ads.messages(partition):
            row = json.loads(message.value)
            assert set(row["features"]) == {"amount"}
            assert partition_of(message.key.decode(), 4) == partition
            amounts.setdefault(message.key.decode(), []).append(int(row["features"]["amount"]))
    assert amounts == {f"user-{user}": list(range(user, 500, 37)) for user in range(37)}


def test_without_a_key_the_shards_take_turns(headrace, log):
    phishing = log(partitions=4)
    assert headrace("send", phishing.task, "river:Phishing", "--config", phishing.config, "--limit", 100).status == 0
    assert [len(phishing.messages(partition)) for partition in range(4)] == [25] * 4


def test_a_line_of_ndjson_is_sent_as_it_stands(headrace, log, tmp_path):
    ads = log()
    lines = [
        b'{"label": true,  "features": {"a": 1, "b": 1.0, "c": "1"}, "id": "x"}',
        '{"features":{"ä":false},"label":false}'.encode(),
    ]
    source = write(tmp_path, "ads.ndjson", b"\n".join([lines[0], b"", lines[1] + b"\r", b""]))
    assert headrace("send", ads.task, source, "--config", ads.config).status == 0
    assert [message.value for message in ads.messages()] == lines


def test_rows_of_ndjson_are_keyed_by_a_feature_or_their_id(headrace, log, tmp_path):
    ads, source = log(), write(tmp_path, "ads.jsonl", '{"id":"x","features":{"shop":7},"label":true}')
    assert headrace("send", ads.task, source, "--config", ads.config, "--key", "shop").status == 0
    assert headrace("send", ads.task, source, "--config", ads.config, "--key", "id").status == 0
    assert [message.key for message in ads.messages()] == [b"7", b"x"]
    called = headrace("send", ads.task, source, "--config", ads.config, "--key", "town")
    assert called.status == 1
    assert "line 1: it has no feature 'town' for the key." in called.err


def test_pack_puts_rows_that_follow_each_other_into_one_message(headrace, log, tmp_path):
    phishing = log()
    assert headrace("send", phishing.task, "river:Phishing", "--config", phishing.config, "--pack", 100).status == 0
    assert [message.value.count(b"\n") + 1 for message in phishing.messages()] == [100] * 12 + [50]
    assert [row["label"] for row in phishing.rows()] == [label for _, label in datasets.Phishing()]


def test_pack_never_mixes_keys(headrace, log, tmp_path):
    ads = log()
    source = write(tmp_path, "ads.csv", "user,amount,label\na,1,1\na,2,1\nb,3,1\na,4,1\n")
    assert headrace("send", ads.task, source, "--config", ads.config, "--key", "user", "--pack", 10).status == 0
    assert [(message.key, message.value.count(b"\n") + 1) for message in ads.messages()] == [
        (b"a", 2),
        (b"b", 1),
        (b"a", 1),
    ]


def test_the_rate_is_kept(headrace, log):
    phishing, started = log(), time.monotonic()
    options = ["--limit", 60, "--rate", 40, "--pack", 5]
    assert headrace("send", phishing.task, "river:Phishing", "--config", phishing.config, *options).status == 0
    assert 1.3 < time.monotonic() - started < 6


def test_it_stops_at_the_first_row_that_must_not_be_sent_and_says_which_and_why(headrace, log, tmp_path):
    ads = log()
    source = write(tmp_path, "ads.csv", "amount,label\n1,1\n2,0\n3,maybe\n4,1\n")
    called = headrace("send", ads.task, source, "--config", ads.config)
    assert called.status == 1
    assert "2 rows acknowledged" in called.out
    assert "line 4: label 'maybe' is not one of true, false, 1, 0, yes, no." in called.err
    assert [row["features"]["amount"] for row in ads.rows()] == [1.0, 2.0]


HOSTILE = b"""\
amount,town,label
1,S\xc3\xa3o Jo\xc3\xa3o,1
abc,Porto,1
2,Po\xffrto,1
3,Porto
1e999,Porto,1
4,Porto,
NaN,Porto,1
5,"Por
to",1
6,Porto,0
"""


def test_with_skip_invalid_every_valid_row_is_sent_and_every_other_one_is_named(headrace, log, tmp_path):
    ads = log(more='features = { amount = { type = "float" }, town = { type = "string" } }')
    called = headrace("send", ads.task, write(tmp_path, "ads.csv", HOSTILE), "--config", ads.config, "--skip-invalid")
    assert called.status == 1
    assert [(row["features"]["amount"], row["features"]["town"]) for row in ads.rows()] == [
        (1.0, "São João"),
        (5.0, "Por\nto"),
        (6.0, "Porto"),
    ]
    for reason in (
        "line 3: 'amount' holds numbers, and 'abc' is none.",
        "line 4: the row is not UTF-8.",
        "line 5: the row has 2 cells and the header has 3.",
        "line 6: 'amount' holds numbers, and '1e999' is none.",
        "line 7: the label is missing.",
        "line 8: feature 'amount' is missing.",
        "6 rows left out.",
    ):
        assert reason in called.err


def test_what_a_record_must_not_be_is_refused_from_ndjson_too(headrace, log, tmp_path):
    bad = [
        b"{",
        b"[]",
        b'{"features":{"a":NaN},"label":true}',
        b'{"features":{"a":[1]},"label":true}',
        b'{"label":true}',
        b"\xff",
    ]
    huge = b'{"features":{"a":1},"label":true' + b" " * 1_000_000 + b"}"
    ads, source = log(), write(tmp_path, "ads.ndjson", b"\n".join([*bad, huge, b'{"features":{"a":1},"label":true}']))
    called = headrace("send", ads.task, source, "--config", ads.config, "--skip-invalid")
    assert called.status == 1
    assert len(ads.rows()) == 1
    assert [line.split(":")[0] for line in called.err.splitlines()[:-1]] == [f"line {number}" for number in range(1, 8)]


def test_the_settings_decide_the_types_and_which_columns_are_taken(headrace, log, tmp_path):
    features = (
        'features = { zip = { type = "string" }, visits = { type = "int" }, vip = { type = "bool", optional = true } }'
    )
    ads, source = (
        log(more=features),
        write(tmp_path, "ads.csv", "zip;visits;vip;note;label\n80331;3;1;x;0\n10115;4;;y;1\n"),
    )
    called = headrace("send", ads.task, source, "--config", ads.config)
    assert called.status == 0, called.err
    assert "Columns left out, not being declared in the settings: note." in called.err
    features = [row["features"] for row in ads.rows()]
    assert features == [{"zip": "80331", "visits": 3, "vip": True}, {"zip": "10115", "visits": 4}]
    assert type(features[0]["visits"]) is int


@pytest.mark.parametrize(
    ("kind", "cells", "labels"),
    [
        ("multiclass", ["3", "7"], [3, 7]),
        ("multiclass", ["3", "x"], ["3", "x"]),
        ("regression", ["3", "-1.5"], [3.0, -1.5]),
    ],
)
def test_labels_are_of_the_tasks_kind(headrace, log, tmp_path, kind, cells, labels):
    assert names_for(kind)
    ads, source = log(kind=kind), write(tmp_path, "ads.csv", "a,label\n" + "".join(f"1,{cell}\n" for cell in cells))
    assert headrace("send", ads.task, source, "--config", ads.config).status == 0
    assert [row["label"] for row in ads.rows()] == labels


@pytest.mark.parametrize(
    ("source", "text", "reason"),
    [
        ("river:Phising", "", "Did you mean 'Phishing'?"),
        ("river:Elec2000", "", "no data set"),
        ("nowhere.csv", None, "cannot be read"),
        ("ads.parquet", "", "is no Parquet file"),
        ("ads.csv", "a,lable\n1,1\n", "Did you mean 'lable'?"),
        ("ads.csv", "a,a,label\n1,1,1\n", "stands twice"),
        ("ads.csv", "", "is empty"),
    ],
)
def test_a_source_that_cannot_be_read_is_wrong_usage(headrace, log, tmp_path, source, text, reason):
    ads = log()
    name = source if source.startswith("river:") or text is None else write(tmp_path, source, text)
    called = headrace("send", ads.task, name, "--config", ads.config)
    assert called.status == 2
    assert reason in called.err


def test_an_unknown_task_is_wrong_usage(headrace, log):
    called = headrace("send", "adds", "river:Phishing", "--config", log().config)
    assert called.status == 2
    assert "there is no task 'adds'" in called.err


def test_without_a_broker_it_says_so_and_fails(headrace, tmp_path):
    ads = Log(tmp_path, f"127.0.0.1:{free_port()}")
    called = headrace("send", ads.task, "river:Phishing", "--config", ads.config)
    assert called.status == 1
    assert "cannot be reached" in called.err
    assert "Traceback" not in called.err


def test_when_the_broker_fails_it_says_how_many_rows_were_acknowledged(headrace, log, monkeypatch):
    """A row whose acknowledgement fails is not counted, also not when later ones are acknowledged."""

    sent = itertools.count(1)

    def broker(records):
        if next(sent) == 41:
            raise KafkaTimeoutError

    ads = log()
    starting(monkeypatch, lambda: Producer(broker))
    called = headrace("send", ads.task, "river:Phishing", "--config", ads.config, "--limit", 100)
    assert called.status == 1
    assert "99 rows were acknowledged" in called.err


def test_with_a_delay_labels_follow_their_questions_so_many_rows_later(headrace, log, tmp_path):
    ads, source = log(), write(tmp_path, "shop.csv", SHOP)
    called = headrace(
        "send", ads.task, source, "--config", ads.config, "--label", "returned", "--id", "order", "--delay", 2
    )
    assert called.status == 0, called.err
    assert "3 questions and 3 labels acknowledged" in called.out
    rows = [(row["id"], "features" in row, row.get("label")) for row in ads.rows()]
    assert rows == [("o1", True, None), ("o2", True, None), ("o1", False, True), ("o3", True, None), ("o2", False, False),
                    ("o3", False, True)]  # fmt: skip


def test_with_a_delay_questions_and_labels_are_counted_apart(headrace, tmp_path, monkeypatch):
    """The questions and labels that are separate rows of the file count too. The test needs no broker."""

    async def prepare(*_arguments):
        pass

    starting(monkeypatch, Producer)
    monkeypatch.setattr(topics, "prepare", prepare)
    config = write(tmp_path, "headrace.toml", '[tasks.ads]\nkind = "binary"\n')
    lines = ['{"features":{"a":1},"label":true}', '{"id":"x","features":{"a":1}}', '{"id":"x","label":true}']
    source = write(tmp_path, "ads.ndjson", "\n".join([*lines, lines[0], lines[1].replace("x", "y")]))
    called = headrace("send", "ads", source, "--config", config, "--delay", 1)
    assert called.status == 0, called.err
    assert called.out.startswith("4 questions and 3 labels acknowledged in ")
    assert "records/s" in called.out
    assert headrace("send", "ads", source, "--config", config).out.startswith("5 rows acknowledged in ")


def test_a_delayed_label_has_the_time_of_the_question_that_it_comes_before():
    rows = [
        Sample(n, json.dumps({"id": str(n), "features": {}, "label": True, "time": 100 + n}).encode()) for n in range(4)
    ]
    records = [json.loads(sample.value) for sample in delayed(iter(rows), rows=2, partitions=1)]
    assert [(row["id"], "label" in row, row["time"]) for row in records] == [
        ("0", False, 100), ("1", False, 101), ("0", True, 102), ("2", False, 102), ("1", True, 103), ("3", False, 103),
        ("2", True, 103), ("3", True, 103),
    ]  # fmt: skip
    one = Learner(Task(name="t", kind="binary", order="event_time", lateness=0, late="quarantine"), 0)
    for offset, row in enumerate(records):
        message = SimpleNamespace(offset=offset, timestamp=10**9, key=None, value=json.dumps(row).encode())
        assert [effect for effects in one.fold(message) for effect in effects] == []
    assert one.state.updates == 4


def test_a_delayed_label_comes_to_the_shard_of_its_question_and_rows_without_an_id_get_one(headrace, log):
    ads = log(partitions=4)
    options = ["--limit", 40, "--delay", 5, "--config", ads.config]
    assert [headrace("send", ads.task, "river:Phishing", *options).status for _ in range(2)] == [0, 0]
    parts = [(shard, row["id"], "label" in row) for shard in range(4) for row in ads.rows(shard)]
    questions, labels = ({part[:2] for part in parts if part[2] == has_label} for has_label in (False, True))
    assert questions == labels
    assert len(questions) == 80
    assert len({shard for shard, _ in questions}) == 4

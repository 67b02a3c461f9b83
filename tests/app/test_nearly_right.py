"""Producers that are nearly right: each row of the table in docs/how-to/refused-records.md is what the commands say."""

import asyncio
import json
import re
import uuid
import zlib

import harness
import pytest

from headrace.tables.kafka.producer import producing
from headrace.tables.kafka.topics import Topic, prepare

PAGE = harness.ROOT / "docs" / "how-to" / "refused-records.md"
COMMANDS = ("status", "doctor", "quarantine")

RUN = uuid.uuid4().hex[:8]
STRICT, LOOSE, MAPPED, TOPIC = f"strict-{RUN}", f"loose-{RUN}", f"mapped-{RUN}", f"orders-{RUN}"
TOML = f"""
[tasks.{STRICT}]
kind = "binary"
partitions = 2
features.seconds.type = "float"
features.pages.type = "int"

[tasks.{LOOSE}]
kind = "binary"

[tasks.{MAPPED}]
kind = "binary"
features.total.type = "float"
[[tasks.{MAPPED}.sources]]
topic = "{TOPIC}"
when = "payload.after"
label = "payload.after.fraud == `1`"
features = {{ total = "payload.after.total" }}
"""

RIGHT = {"features": {"seconds": 3.0, "pages": 2}, "label": True}


def line(record):
    return json.dumps(record).encode()


def change(**after):
    return line({"payload": {"before": None, "after": after or None, "op": "c" if after else "d"}})


SENT = {
    "Debezium's changes, into the event log": (STRICT, [change(seconds=3.0, pages=2)]),
    "a delete of Debezium and its tombstone, to a source": (MAPPED, [change(total=2.5, fraud=1), change(), None]),
    "tombstones, into the event log": (STRICT, [None]),
    "a schema registry's JSON, into the event log": (STRICT, [b"\0\0\0\0\7" + line(RIGHT)]),
    "a schema registry's Avro, to a source": (MAPPED, [b"\0\0\0\0\x09\2\4"]),
    "one JSON object over several lines": (STRICT, [json.dumps(RIGHT, indent=1).encode()]),
    "keys by librdkafka's partitioner": (STRICT, [line(RIGHT)] * 40),
    "times in milliseconds": (STRICT, [line(RIGHT | {"time": 1767225600000})]),
    "a misspelt feature, where features are declared": (STRICT, [line({"features": {"secs": 3.0, "pages": 2}, "label": True})]),
    "a misspelt key": (STRICT, [line({"features": RIGHT["features"], "lable": True})]),
    "features beside the label, not under `features`": (STRICT, [line(RIGHT["features"] | {"label": True})]),
    "features that were encoded twice": (STRICT, [line({"features": json.dumps(RIGHT["features"]), "label": True})]),
    "NaN": (STRICT, [b'{"features": {"seconds": NaN, "pages": 2}, "label": true}']),
    "a dict as Python prints it": (STRICT, [str(RIGHT).encode()]),
    "rows of a table": (STRICT, [b"3.0,2,true"]),
    "another schema from now on, where none is declared": (LOOSE, [line({"features": {"secs": 3.0, "price": "1.5"}, "label": True})] * 150),
    "another schema from now on, to a source": (MAPPED, [change(totl=2.5, fraud=1)]),
}  # fmt: skip
"""What each producer sends, by the first cell of its row: the task that gets it, and the messages."""


def table():
    """The rows of the page: what a producer sends, and for each command the texts that its cell quotes."""
    _, _, part = PAGE.read_text().partition("## What a nearly right producer looks like")
    for row in re.findall(r"^\| (.*) \|$", part.partition("\n## ")[0], re.MULTILINE)[1:]:
        sent, *cells = row.split(" | ")
        yield sent, dict(zip(COMMANDS, (re.findall(r"`([^`]+)`", cell) for cell in cells), strict=True))


ROWS = dict(table())


def send(broker, sent):
    task, messages = SENT[sent]

    async def sending():
        async with producing(broker) as producer:
            for number, message in enumerate(messages):
                key, partition = b"k", 0
                if "partitioner" in sent:
                    key = b"user-%d" % number
                    partition = zlib.crc32(key) % 2
                topic = TOPIC if task == MAPPED else f"{task}.events"
                await producer.send_and_wait(topic, message, key=key, partition=partition)

    asyncio.run(sending())


def said(worker, command, task):
    words = {"status": ("status", task), "doctor": ("doctor",), "quarantine": ("quarantine", task, "--limit", "50")}
    return " ".join(worker.run(*words[command]).stdout.split())


@pytest.fixture(scope="module")
def outputs(broker, tmp_path_factory):
    """What each command says of each task, before the producers send and afterwards."""
    asyncio.run(prepare(broker, [Topic(TOPIC, 1, {})]))
    worker = harness.Worker(tmp_path_factory.mktemp("nearly"), broker, TOML).start()
    try:
        worker.wait_ready()
        old = line({"features": {"seconds": 3.0, "price": 1.5}, "label": True})
        for _ in range(4):  # a worker looks at the last samples of each fetch
            asyncio.run(harness.append(broker, f"{LOOSE}.events", [(0, old)] * 150))

        def counts(name, task):
            return sum(shard.get(name, 0) for shard in worker.get(f"/v1/{task}")["shards"])

        harness.wait_for(lambda: counts("updates", LOOSE) == 600, 30, "the old schema is learned")
        before = {task: {name: said(worker, name, task) for name in COMMANDS} for task in (STRICT, LOOSE, MAPPED)}
        for sent in SENT:
            send(broker, sent)
        harness.wait_for(lambda: counts("updates", LOOSE) == 750, 30, "the new schema is learned")
        harness.wait_for(lambda: counts("updates", STRICT) == 40, 30, "what is right is learned")
        harness.wait_for(
            lambda: sum(worker.get(f"/v1/{MAPPED}")["quarantined"]["codes"].values()) == 2, 30, "the source is read"
        )
        harness.wait_for(lambda: worker.get(f"/v1/{MAPPED}")["sources"]["left_out"] == 2, 30, "two are left out")
        after = {task: {name: said(worker, name, task) for name in COMMANDS} for task in (STRICT, LOOSE, MAPPED)}
        yield before, after
    finally:
        worker.stop("SIGKILL")


def test_each_row_of_the_table_is_tried():
    assert list(ROWS) == list(SENT)


@pytest.mark.parametrize("sent", SENT)
def test_the_commands_say_of_a_producer_what_the_table_says(outputs, sent):
    before, after = outputs
    task, _ = SENT[sent]
    assert any(ROWS[sent].values()), "a row without a quoted text proves nothing"
    for command, texts in ROWS[sent].items():
        for text in texts:
            assert text in after[task][command], (command, text)
            assert text not in before[task][command], f"{command} says '{text}' of anybody"

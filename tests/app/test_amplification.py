"""Short questions to a model of many classes: the bytes of the answers to one request are bounded."""

import asyncio
from types import SimpleNamespace

import msgspec
import pytest
from fakes.producer import Producer

import headrace.agents.requests
import headrace.app.serving.serving
from headrace.agents.pace import Pace
from headrace.agents.requests import PACK_BYTES, Requests
from headrace.agents.telemetry import Telemetry
from headrace.app.serving.question import Asked, Question
from headrace.app.serving.refused import RequestRefused
from headrace.app.serving.served_task import ServedTask
from headrace.app.serving.serving import Serving
from headrace.learning.fold.learner import Learner
from headrace.learning.task import Task
from headrace.tables.kafka.partitioner import partition_of

TASK = Task(name="ads", kind="multiclass", model="naive_bayes", partitions=2)
LABELS = 50


class Shards:
    """Two shards. One of them has a model on this worker."""

    def __init__(self):
        self.task, self.owned, self.pace = TASK, {}, Pace()
        self.collaborators = SimpleNamespace(own_modules=(), telemetry=Telemetry())
        learner = Learner(TASK, 0)
        for number in range(LABELS):
            learner.champion.learn({"x": 1.0}, f"label {number}" * 10)
        self.model = SimpleNamespace(partition=0, learner=learner, status="live", position=0, staleness=0.0)

    def answering(self, partition):
        return self.model if partition == 0 else None


class Owners:
    """Answers for the other shard. Its answers are as long as those of this worker."""

    async def ask(self, task, partition, questions, asked, seconds):
        return [msgspec.Raw(b"[%s]" % (b"1," * 1_000 + b"1"))] * len(questions)


def ask(*keys):
    serving = Serving.__new__(Serving)
    serving.owners, serving._ids = Owners(), map(str, range(10_000))
    served = ServedTask(TASK, Shards())
    questions = [Question({"x": 1.0}, key=key) for key in keys]
    return asyncio.run(serving.answer(served, questions, Asked()))


HERE, THERE = (next(key for key in "abcdefgh" if partition_of(key, 2) == shard) for shard in (0, 1))


def test_the_keys_go_to_a_model_here_and_to_another_worker():
    here, there = ask(HERE, THERE)
    assert len(here["probabilities"]) == LABELS
    assert isinstance(there, msgspec.Raw)


@pytest.mark.parametrize("key", [HERE, THERE])
def test_more_bytes_than_one_request_may_be_answered_with_are_refused_as_they_are_made(monkeypatch, key):
    size = len(msgspec.json.encode(ask(key)[0]))
    monkeypatch.setattr(headrace.app.serving.serving, "ANSWERS_MAX", 10 * size + 50)
    assert len(ask(*[key] * 10)) == 10
    made = []
    monkeypatch.setattr(ServedTask, "predict", spy(made, ServedTask.predict))
    with pytest.raises(RequestRefused, match="the answers have more than") as raised:
        ask(*[key] * 1_000)
    assert (raised.value.kind, raised.value.code) == ("too_large", "too_large")
    assert len(made) <= 11


def spy(made, real):
    def call(*arguments):
        made.append(1)
        return real(*arguments)

    return call


def test_the_answers_of_all_workers_share_the_limit(monkeypatch):
    assert headrace.app.serving.serving.ANSWERS_MAX == 4 << 20
    monkeypatch.setattr(
        headrace.app.serving.serving,
        "ANSWERS_MAX",
        sum(len(msgspec.json.encode(ask(key)[0])) for key in (HERE, THERE)) - 10,
    )
    with pytest.raises(RequestRefused):
        ask(HERE, THERE)


def requests(answer, *values):
    """Return the answers published for messages, and the most bytes of answers that were held at once."""
    published, held, most = [], 0, 0

    async def counted(lines):
        nonlocal held, most
        answers = await answer(lines)
        held += sum(map(len, answers))
        most = max(most, held)
        return answers

    def broker(records):
        nonlocal held
        for record in records:
            held -= len(record.value)
            published.append((record.key, record.value))

    messages = [
        SimpleNamespace(topic="ads.requests", partition=0, offset=at, key=b"%d" % at, value=value)
        for at, value in enumerate(values)
    ]
    asyncio.run(Requests(TASK, "nowhere:1", counted)._answer(Producer(broker), messages))
    return published, most


async def echo(lines):
    return [b"%s:%s" % (place.encode(), line) for place, line in lines]


def test_answers_over_kafka_keep_their_order_and_name_their_place():
    rows = [b"\n".join(b"%d" % row for row in range(120)), b"", b"x", b"\n" * 1_000, b"y\nz"]
    published, _ = requests(echo, *rows)
    answers = [(key, line) for key, value in published for line in value.split(b"\n")]
    wanted = [(b"0", b"ads.requests/0/0/%d:%d" % (row, row)) for row in range(120)]
    wanted += [(b"1", b"ads.requests/0/1/0:"), (b"2", b"ads.requests/0/2/0:x")]
    assert answers[:122] == wanted
    assert [key for key, _ in answers[122:]] == [b"3", b"4", b"4"]
    assert b'"code":"too_many","detail":"1001 questions in one message."' in answers[122][1]
    assert [line for _, line in answers[123:]] == [b"ads.requests/0/4/0:y", b"ads.requests/0/4/1:z"]


def test_long_answers_to_short_questions_are_sent_before_others_are_made():
    async def amplify(lines):
        return [b"x" * 100_000 for _ in lines]

    published, most = requests(amplify, *[b"\n".join([b"{}"] * 500)] * 3)
    assert sum(value.count(b"\n") + 1 for _, value in published) == 1_500
    assert all(len(value) <= PACK_BYTES for _, value in published)
    assert most <= headrace.agents.requests.HELD_MAX + headrace.agents.requests.CHUNK * 100_000 + 1_500

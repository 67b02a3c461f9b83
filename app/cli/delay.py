"""Splits samples into questions and labels that follow later, for `headrace send --delay`."""

import secrets
from collections import deque
from collections.abc import Iterator

import msgspec

from headrace.app.files.sample import Sample
from headrace.learning.task import Json


def delayed(samples: Iterator[Sample], rows: int, partitions: int) -> Iterator[Sample]:
    """Split each sample into a question, and a label just before the question `rows` later: River's order of delayed labels.

    If the samples have a time, a label gets the time of the question after it, so that the order of times agrees with the order of records.

    A sample without an id gets one that is unique to this call. Both parts must go to the same shard: if there are several shards and the
    sample has no key, its id is the key.

    Examples
    --------
    >>> samples = [Sample(n, b'{"id": "%d", "features": {}, "label": true}' % n) for n in (1, 2)]
    >>> for sample in delayed(iter(samples), rows=1, partitions=1):
    ...     print(sample.value.decode(), sample.is_label)
    {"id":"1","features":{}} False
    {"id":"1","label":true} True
    {"id":"2","features":{}} False
    {"id":"2","label":true} True
    """
    run = secrets.token_hex(4)
    waiting: deque[tuple[int, Sample, dict[str, Json]]] = deque()
    time: dict[str, Json] = {}

    def answered() -> Sample:
        _, question, label = waiting.popleft()
        return Sample(question.line, msgspec.json.encode(label | time), question.key, is_label=True)

    for number, sample in enumerate(samples):
        record = msgspec.json.decode(sample.value)
        time = {"time": record["time"]} if "time" in record else {}
        while waiting and waiting[0][0] <= number:
            yield answered()
        if "label" not in record or "features" not in record:
            yield sample._replace(is_label="label" in record)  # a question or a label by itself
            continue
        record_id = record.pop("id", f"{run}-{number}")
        label = {"id": record_id, "label": record.pop("label")}
        key = record_id if sample.key is None and partitions > 1 else sample.key
        question = Sample(sample.line, msgspec.json.encode({"id": record_id} | record), key)
        yield question
        waiting.append((number + rows, question, label))
    while waiting:
        yield answered()

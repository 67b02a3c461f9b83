"""Samples from the data sets that come with River."""

import datetime as dt
import inspect
from collections.abc import Iterator
from typing import Any

import click
import msgspec

from headrace.app.files.sample import Sample, SampleSource, checked
from headrace.learning.near import nearest
from headrace.learning.records import Reader
from headrace.learning.task import Task


def open_river(name: str, task: Task, key: str | None) -> SampleSource:
    """Open a data set that comes with River, or that River has downloaded."""
    from river import datasets

    known = [name for name, value in inspect.getmembers(datasets, inspect.isclass) if name not in ("base", "synth")]
    if name not in known:
        hint = nearest(name, known) or f"There are {', '.join(known)}."
        raise click.UsageError(f"River has no data set '{name}'. {hint}")
    dataset: Any = getattr(datasets, name)()
    if not getattr(dataset, "is_downloaded", True):
        command = f'python -c "from river import datasets; datasets.{name}().download()"'
        raise click.UsageError(f"the data set '{name}' is not on this machine. Download it: {command}")
    check, file = Reader(task), f"river:{name}"

    def samples() -> Iterator[Sample]:
        for number, (features, label) in enumerate(dataset, 1):
            truth = bool(label) if task.kind in ("binary", "anomaly") and label in (0, 1) else label
            record = {"features": {str(key): _plain(value) for key, value in features.items()}, "label": truth}
            try:
                value = msgspec.json.encode(record)
            except TypeError as error:
                yield Sample(number, b"", reason=f"the sample has no form in JSON: {error}.", file=file)
                continue
            yield checked(check, number, value, key, file)

    return SampleSource(samples(), dataset.n_samples)


def _plain(value: object) -> object:
    """Turn a feature of River into a JSON value: a date becomes seconds since the epoch."""
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp()
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC).timestamp()
    return value

"""Exports a worker's metrics: reads all families from its parts when Prometheus asks for them."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from typing import TypeVar

import prometheus_client
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from headrace.agents.learn import LearningApp
from headrace.agents.telemetry import Histogram
from headrace.app.families import OF_MODEL, OF_PROCESS, OF_SHARD, OF_TASK, Answering, Family, Owned, Process, Values
from headrace.app.serving.serving import Serving

Metric = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily

Subject = TypeVar("Subject")

TYPES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}


class WorkerCollector(Collector):
    """Collects the metrics of a worker from its shards, replicas, sources and counts. Nothing is kept between two scrapes.

    Parameters
    ----------
    app
        The Faust app, with shards and sources.
    serving
        Answers questions; has the tasks.
    """

    def __init__(self, app: LearningApp, serving: Serving):
        self.app, self.serving = app, serving

    def collect(self) -> Iterator[Metric]:
        """Yield every family, also one that has no values now."""
        tasks = self.serving.tasks.values()
        owned = [
            ((served.task.name, str(partition)), Owned(shard, shard.learner.state))
            for served in tasks
            for partition, shard in sorted(served.shards.owned.items())
            if shard.learner is not None
        ]
        models = [
            ((served.task.name, str(partition)), Answering(model, served.state_of(model)))
            for served in tasks
            for partition in served.shards.known()
            if (model := served.shards.answering(partition)) is not None
        ]
        yield from collected(OF_PROCESS, (), [((), Process(self.app, self.serving))])
        yield from collected(OF_TASK, ("task",), [((served.task.name,), served) for served in tasks])
        yield from collected(OF_MODEL, ("task", "partition"), models)
        yield from collected(OF_SHARD, ("task", "partition"), owned)

    def describe(self) -> Iterable[Metric]:
        """Describe nothing, so that registering the collector reads no values."""
        return ()


def collected(
    families: Sequence[Family[Subject]], names: Values, subjects: Sequence[tuple[Values, Subject]]
) -> Iterator[Metric]:
    """Yield families with the values of all subjects.

    Examples
    --------
    >>> family = Family("headrace_letters", "gauge", "Letters of a word.", len)
    >>> for metric in collected([family], ["word"], [(("mill",), "mill")]):
    ...     print(metric.samples[0].labels, metric.samples[0].value)
    {'word': 'mill'} 4
    """
    for family in families:
        metric: Metric = TYPES[family.type](family.name, family.meaning, labels=(*names, *family.labels))
        for labels, subject in subjects:
            for own, value in family.values(subject):
                if isinstance(metric, HistogramMetricFamily):
                    assert isinstance(value, Histogram)
                    buckets = [
                        (f"{bound:g}" if isfinite(bound) else "+Inf", count) for bound, count in value.cumulative()
                    ]
                    metric.add_metric((*labels, *own), buckets, value.total)
                else:
                    assert not isinstance(value, Histogram)
                    metric.add_metric((*labels, *own), value)
        yield metric


class Collected(Collector):
    """Metrics whose values were read.

    Parameters
    ----------
    metrics
        The metrics.
    """

    def __init__(self, metrics: Sequence[prometheus_client.Metric]):
        self.metrics = metrics

    def collect(self) -> Sequence[prometheus_client.Metric]:
        """Return the metrics."""
        return self.metrics


async def scrape(registry: CollectorRegistry) -> bytes:
    """Read all metrics and write them as text, and let requests be answered meanwhile.

    The values are read in the event loop, where nothing changes them, and other tasks run after each family. The text is written in a thread.
    """
    metrics: list[prometheus_client.Metric] = []
    for metric in registry.collect():
        metrics.append(metric)
        await asyncio.sleep(0)
    return await asyncio.to_thread(generate_latest, Collected(metrics))


def make_registry(app: LearningApp, serving: Serving) -> CollectorRegistry:
    """Make the registry of a worker: one of its own, without the figures of the process that the library adds to its global registry."""
    registry = CollectorRegistry()
    registry.register(WorkerCollector(app, serving))
    return registry

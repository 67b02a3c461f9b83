"""The parts of a worker, as its views reach them."""

from collections.abc import Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from headrace.agents.learn import LearningApp
from headrace.app.page.parts import Page
from headrace.app.serving.serving import Serving
from headrace.app.siblings import Siblings
from headrace.learning.task import Json


class Wiring(NamedTuple):
    """The parts of a worker. A view gets them from the web server, as `Resource.wiring`.

    Parameters
    ----------
    app
        The Faust app, with shards, sources and background tasks.
    serving
        Answers questions.
    document
        The OpenAPI document of this worker.
    registry
        Has the metrics of this worker for Prometheus.
    page
        The parts of the page at `/`.
    siblings
        The processes with which this one shares a port, if there are any.
    """

    app: LearningApp
    serving: Serving
    document: Mapping[str, Json]
    registry: CollectorRegistry
    page: Page
    siblings: Siblings | None = None

"""The HTTP views of a worker, one file for each resource."""

from collections.abc import Collection, Mapping

from headrace.agents.learn import LearningApp
from headrace.app.contract import operations
from headrace.app.exporter import make_registry
from headrace.app.openapi import write_document
from headrace.app.page.assets import Assets
from headrace.app.page.feed import Feeds
from headrace.app.page.parts import Page
from headrace.app.serving.serving import Serving
from headrace.app.settings import Settings
from headrace.app.siblings import Siblings
from headrace.app.views.control import Control, ControlDone
from headrace.app.views.document import Document
from headrace.app.views.drift import Drift
from headrace.app.views.experiments import Experiments
from headrace.app.views.features import StoredFeatures
from headrace.app.views.health import Healthy, Ready
from headrace.app.views.history import History
from headrace.app.views.labels import Labels
from headrace.app.views.metrics import Metrics
from headrace.app.views.page import LiveFeed, PageFile, TaskPage, TasksPage
from headrace.app.views.predict import Predict, PredictBatch
from headrace.app.views.prediction import LoggedPrediction
from headrace.app.views.predictions import Predictions
from headrace.app.views.quarantine import Quarantine
from headrace.app.views.resource import Resource, WiredWeb
from headrace.app.views.samples import Samples
from headrace.app.views.task import TaskStatus
from headrace.app.views.tasks import Tasks
from headrace.app.views.versions import Versions
from headrace.app.wiring import Wiring

ROUTES: Mapping[str, type[Resource]] = {
    "/healthz": Healthy,
    "/readyz": Ready,
    "/metrics": Metrics,
    "/openapi.json": Document,
    "/": TasksPage,
    "/tasks/{task}": TaskPage,
    "/tasks/{task}/live": LiveFeed,
    "/page/{digest}/{name}": PageFile,
    "/v1": Tasks,
    "/v1/{task}": TaskStatus,
    "/v1/{task}/predict": Predict,
    "/v1/{task}/predict/batch": PredictBatch,
    "/v1/{task}/predictions/{id}": LoggedPrediction,
    "/v1/{task}/samples": Samples,
    "/v1/{task}/labels": Labels,
    "/v1/{task}/features/{key}": StoredFeatures,
    "/v1/{task}/predictions": Predictions,
    "/v1/{task}/versions": Versions,
    "/v1/{task}/drift": Drift,
    "/v1/{task}/experiments": Experiments,
    "/v1/{task}/quarantine": Quarantine,
    "/v1/{task}/metrics": History,
    "/v1/{task}/control": Control,
    "/v1/{task}/control/{id}": ControlDone,
}


def add_views(
    app: LearningApp, settings: Settings, impure: Collection[str], siblings: Siblings | None = None
) -> Wiring:
    """Give the app its web server with all routes, and return the parts that the views answer from.

    Parameters
    ----------
    app
        The Faust app, which has its shards already.
    settings
        The settings of this worker.
    impure
        The tasks whose models change when they predict.
    siblings
        The processes with which this one shares a port, if there are any.
    """
    serving = Serving(app, settings, impure)
    app.closing.append(serving.stop)
    has_keys = len(settings.keys()) > 0
    document = write_document(operations(ROUTES), settings.tasks.values(), has_keys=has_keys)
    page = Page(Assets(), Feeds(), has_keys)
    wiring = Wiring(app, serving, document, make_registry(app, serving), page, siblings)
    app.web = WiredWeb(wiring)
    app.web.web_app.on_shutdown.append(page.feeds.stop)
    for path, view in ROUTES.items():
        view.view_path, view.view_name = path, view.__name__
        app.web.add_view(view, prefix="")
    return wiring

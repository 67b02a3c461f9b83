"""The web views: one file a resource."""

from collections.abc import Collection

from headrace.agents.learn import LearningApp
from headrace.app.connections import Web
from headrace.app.contract import operations
from headrace.app.openapi import write_document
from headrace.app.settings import Settings
from headrace.app.views.document import Document
from headrace.app.views.features import StoredFeatures
from headrace.app.views.health import Healthy, Ready
from headrace.app.views.labels import Labels
from headrace.app.views.predict import Predict, PredictBatch
from headrace.app.views.samples import Samples
from headrace.app.views.serving import Serving
from headrace.app.views.task import TaskStatus

ROUTES = {
    "/healthz": Healthy,
    "/readyz": Ready,
    "/openapi.json": Document,
    "/v1/{task}": TaskStatus,
    "/v1/{task}/predict": Predict,
    "/v1/{task}/predict/batch": PredictBatch,
    "/v1/{task}/samples": Samples,
    "/v1/{task}/labels": Labels,
    "/v1/{task}/features/{key}": StoredFeatures,
}


def add_views(app: LearningApp, settings: Settings, impure: Collection[str]) -> None:
    """Give the app its routes; `impure` names the tasks whose models change when they are asked."""
    app.serving = Serving(app, settings, impure)
    app.closing.append(app.serving.stop)
    app.document = write_document(operations(ROUTES), settings.tasks.values(), has_keys=len(settings.keys()) > 0)
    app.web = Web(app)
    for path, view in ROUTES.items():
        view.view_path, view.view_name = path, view.__name__
        app.web.add_view(view, prefix="")

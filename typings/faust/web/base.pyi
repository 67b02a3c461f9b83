from collections.abc import Mapping

from faust.app import App
from faust.web.views import View
from mode.services import Service

class Web(Service):
    def __init__(self, app: App, **kwargs: object) -> None: ...
    def add_view(
        self, view_cls: type[View], *, prefix: str = "", cors_options: Mapping[str, object] | None = None
    ) -> View: ...

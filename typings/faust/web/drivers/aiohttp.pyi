from aiohttp.web import Application, AppRunner
from faust.app import App
from faust.web import base

class Web(base.Web):
    web_app: Application
    _runner: AppRunner
    def __init__(self, app: App, **kwargs: object) -> None: ...

import abc
import asyncio

from faust.app import App
from yarl import URL

class Transport(metaclass=abc.ABCMeta):
    app: App
    def __init__(self, url: list[URL], app: App, loop: asyncio.AbstractEventLoop | None = None) -> None: ...

"""The settings of a worker: `headrace.toml` is read once and checked as a whole."""

from headrace.app.settings.load import load, parse
from headrace.app.settings.notify import Notify
from headrace.app.settings.settings import Settings
from headrace.app.settings.tables import Broker, Features, Worker
from headrace.app.settings.task import import_from

__all__ = ["Broker", "Features", "Notify", "Settings", "Worker", "import_from", "load", "parse"]

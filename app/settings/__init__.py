"""Settings: `headrace.toml`, read once, checked whole."""

from headrace.app.settings.load import load, parse
from headrace.app.settings.settings import Settings
from headrace.app.settings.tables import Broker, Features, Worker

__all__ = ["Broker", "Features", "Settings", "Worker", "load", "parse"]

"""Online learning on Kafka streams: exact after any crash, served while it learns."""

from importlib.metadata import version

__version__ = version("headrace")

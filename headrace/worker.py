"""The Faust app of a worker, for Faust's own command line.

HEADRACE_CONFIG=headrace.toml faust -A headrace.worker worker -l info
HEADRACE_CONFIG=headrace.toml faust -A headrace.worker agents
"""

from functools import cache

from headrace.agents.learn import LearningApp
from headrace.app.from_faust import listed_app

_app = cache(listed_app)


def __getattr__(name: str) -> LearningApp:
    """Make `app` when Faust asks for it. Only then are the settings read, and not when this module is imported."""
    if name == "app":
        return _app()
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)

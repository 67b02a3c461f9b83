"""The parts of a worker that the page is served from."""

from typing import NamedTuple

from headrace.app.page.assets import Assets
from headrace.app.page.feed import Feeds


class Page(NamedTuple):
    """What the views of the page need.

    Parameters
    ----------
    assets
        The files.
    feeds
        The live feeds of the tasks.
    is_guarded
        Whether the worker asks for keys.
    """

    assets: Assets
    feeds: Feeds
    is_guarded: bool

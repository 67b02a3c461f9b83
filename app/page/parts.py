"""The parts of a worker that the page is served from."""

from collections.abc import Iterable
from typing import NamedTuple

from headrace.app.page.assets import Assets
from headrace.app.page.feed import Feeds

OPTIONAL = ("metrics", "experiments", "quarantine", "predictions/{id}")
"""Routes of a task that the page shows if the worker has them."""


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
    optional
        Those of `OPTIONAL` that the worker has.
    """

    assets: Assets
    feeds: Feeds
    is_guarded: bool
    optional: tuple[str, ...]

    @classmethod
    def of(cls, routes: Iterable[str], *, is_guarded: bool) -> "Page":
        """Make the parts for a worker with these routes."""
        known = set(routes)
        return cls(Assets(), Feeds(), is_guarded, tuple(one for one in OPTIONAL if f"/v1/{{task}}/{one}" in known))

"""The async client with the methods of the blocking one, so that a test can run with both."""

import asyncio

from headrace import AsyncClient


class Blocking:
    """An async client with the methods of the blocking one: each call runs in the same event loop."""

    def __init__(self, *arguments, **options):
        self.runner = asyncio.Runner()
        self.client = AsyncClient(*arguments, **options)

    def __getattr__(self, name):
        method = getattr(self.client, name)
        return lambda *arguments, **options: self.runner.run(method(*arguments, **options))

    def __enter__(self):
        assert self.runner.run(self.client.__aenter__()) is self.client
        return self

    def __exit__(self, *raised):
        self.runner.run(self.client.__aexit__(*raised))
        self.runner.close()

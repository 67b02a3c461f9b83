"""Feature stores that follow their topic, as in a worker."""

from headrace.agents.background import Background


def start(store):
    """Have a store follow its topic, as a worker does."""
    store.background = Background("stored features", store.run).start()


async def stop(store):
    """Follow no more, and close what the store has open."""
    await store.background.stop()
    await store.stop()

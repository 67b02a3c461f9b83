"""Spans: what a worker does, for a tracer that somebody has asked for. Without one, nothing is made."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Tracer(Protocol):
    """Makes spans. `app.tracing` has the one of OpenTelemetry."""

    def span(self, name: str, **attributes: str | int) -> AbstractContextManager[object]:
        """Return a span that lasts as long as the block; it is within the span around it."""
        ...


class Untraced:
    """The tracer of a worker without tracing: every span is the same object, which does nothing."""

    def span(self, name: str, **attributes: str | int) -> AbstractContextManager[object]:  # noqa: ARG002 nothing is made of them
        """Return the object that does nothing."""
        return NOTHING


NOTHING: AbstractContextManager[None] = nullcontext()
UNTRACED = Untraced()

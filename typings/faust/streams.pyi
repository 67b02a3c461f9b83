from collections.abc import AsyncIterator

from faust.events import Event
from mode.services import Service

class Stream(Service):
    def noack(self) -> Stream: ...
    def events(self) -> AsyncIterator[Event]: ...

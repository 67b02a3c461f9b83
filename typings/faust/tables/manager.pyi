from faust.tables.recovery import Recovery
from mode.services import Service

class TableManager(Service):
    @property
    def recovery(self) -> Recovery: ...
    async def _update_channels(self) -> None: ...

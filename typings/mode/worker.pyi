from typing import IO, NoReturn

from mode.services import Service

class Worker(Service):
    loglevel: str | int | None
    logfile: str | IO[str] | None
    def install_signal_handlers(self) -> None: ...
    def execute_from_commandline(self) -> NoReturn: ...

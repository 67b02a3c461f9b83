import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

import mode
from faust.app import App
from mode.services import Service

class Worker(mode.Worker):
    app: App
    spinner: object
    def __init__(
        self,
        app: App,
        *services: Service,
        sensors: Iterable[object] | None = None,
        debug: bool = ...,
        quiet: bool = False,
        loglevel: str | int | None = None,
        logfile: str | IO[str] | None = None,
        stdout: IO[str] = ...,
        stderr: IO[str] = ...,
        blocking_timeout: float | None = None,
        workdir: Path | str | None = None,
        console_port: int = ...,
        loop: asyncio.AbstractEventLoop | None = None,
        redirect_stdouts: bool | None = None,
        redirect_stdouts_level: int | str | None = None,
        logging_config: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> None: ...

"""The place of a worker process among the processes of `headrace worker --processes`, and the settings that are its own."""

from typing import NamedTuple

import msgspec

from headrace.app.peers import PORT_MAX, Address
from headrace.app.settings import Settings
from headrace.learning.errors import SettingsError


class Place(NamedTuple):
    """The place of a process: its number from 1, the number of processes, and whether the process was started again.

    Examples
    --------
    >>> str(Place(2, 4)), Place.parse("2/4/again")
    ('2/4', Place(number=2, of=4, is_again=True))
    """

    number: int
    of: int
    is_again: bool = False

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Read what `str` writes; ValueError if the text is anything else."""
        number, of, *again = text.split("/")
        return cls(int(number), int(of), bool(again))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}" + "/again" * self.is_again


def own_settings(settings: Settings, place: Place) -> Settings:
    """Return the settings of one process: a folder, a port and an address of its own. It may ask the other processes.

    The ports are those after the shared one, in `web` and in `address`: if all share 6066, process 2 has 6068.

    Raises
    ------
    SettingsError
        There are not enough ports after the shared one.

    Examples
    --------
    >>> from pathlib import Path
    >>> from headrace.app.settings import parse
    >>> raw = {"worker": {"web": "0.0.0.0:6066", "address": "http://mill:80"}, "tasks": {"ads": {"kind": "binary"}}}
    >>> own = own_settings(parse(raw, Path("headrace.toml")), Place(2, 4))
    >>> own.worker.web, own.address, str(own.datadir)
    ('0.0.0.0:6068', 'http://mill:82', 'data/process-2')
    """
    shared = Address.parse(settings.address)
    if max(settings.web_port, shared.port) + place.of > PORT_MAX:
        what = f"{settings.path}: {place.of} processes need as many ports after {settings.web_port}."
        raise SettingsError(what, "Set worker.web to a lower port.")
    addresses = [f"{shared.host}:{shared.port + number}" for number in range(1, place.of + 1)]
    peers = settings.worker.peers
    worker = msgspec.structs.replace(
        settings.worker,
        web=f"{settings.web_host}:{settings.web_port + place.number}",
        address=f"{shared.scheme}://{addresses[place.number - 1]}",
        datadir=f"{settings.worker.datadir}/process-{place.number}",
        peers=None if peers is None else [*peers, *addresses],
    )
    return msgspec.structs.replace(settings, worker=worker)

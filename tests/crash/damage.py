"""Damage to the files of a RocksDB: flipped, truncated, deleted."""

import random
from collections import defaultdict
from pathlib import Path


def databases(data: Path) -> list[Path]:
    """The databases in a worker's data folder: `<task>/<table>/<partition>`."""
    return sorted(path.parent for path in data.glob("*/*/*/CURRENT"))


def damage(database: Path, dice: random.Random) -> str:
    """Damage one file of a database, of a kind that is drawn first: there are many of some kinds. Says what was done."""
    kinds: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(database.iterdir()):
        if path.is_file() and path.stat().st_size and not path.name.startswith(("LOG", "LOCK", "IDENTITY")):
            kinds[path.name.split("-")[0] if "." not in path.name else path.suffix].append(path)
    path = dice.choice(kinds[dice.choice(sorted(kinds))])
    way = dice.choice(["flip", "truncate", "delete"])
    size = path.stat().st_size
    if way == "delete":
        path.unlink()
    elif way == "truncate":
        with path.open("r+b") as file:
            file.truncate(dice.randrange(size))
    else:
        with path.open("r+b") as file:
            for _ in range(8):
                at = dice.randrange(size)
                file.seek(at)
                byte = file.read(1)[0] ^ 1 << dice.randrange(8)
                file.seek(at)
                file.write(bytes([byte]))
    return f"{way} {'/'.join(path.parts[-3:])} ({size} bytes)"

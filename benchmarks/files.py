"""Files read as `headrace send` reads them: rows/s and peak memory, beside the csv module alone on the same file."""

import csv
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

SETTINGS = """
[tasks.big]
kind = "binary"
[tasks.big.columns]
label = "sold"
decimal = "DECIMAL"
[tasks.big.features]
town = { type = "string" }
price = { type = "float" }
pages = { type = "float", optional = true }
seconds = { type = "float" }
visits = { type = "float" }
new = { type = "bool" }
when = { type = "float" }
"""

HEADER = ["town", "price", "pages", "seconds", "visits", "new", "when", "sold"]


def write(path: Path, rows: int, decimal: str) -> None:
    rng = random.Random(1)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="," if decimal == "." else ";")
        writer.writerow(HEADER)
        for number in range(rows):
            price = f"{rng.random() * 1e4:,.2f}" if decimal == "." else f"{rng.random() * 1e4:.2f}".replace(".", ",")
            pages = "NA" if number % 10 == 0 else rng.randint(1, 50)
            day = f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}T{number % 24:02}:00:00Z"
            row = [
                rng.choice(["Porto", "Paris"]),
                price,
                pages,
                round(rng.random() * 100, 2),
                number % 97,
                number % 2 == 0,
                day,
            ]
            if decimal == ",":
                row[3] = str(row[3]).replace(".", ",")
            writer.writerow([*row, ["no", "yes"][number % 3 == 0]])


def read(path: Path, decimal: str) -> None:
    """Read a file in this process, once by the csv module and once as samples, and print what it took."""
    from headrace.app.files.sources import open_source
    from headrace.app.settings import load

    config = path.with_suffix(".toml")
    config.write_text(SETTINGS.replace("DECIMAL", decimal))
    task = load(str(config), check_models=False).tasks["big"]
    started = time.perf_counter()
    with path.open(newline="", encoding="utf-8") as file:
        deque(csv.reader(file), maxlen=0)
    alone = time.perf_counter() - started
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, count = time.perf_counter(), 0
    for sample in open_source([str(path)], task).samples:
        assert not sample.reason, sample
        count += 1
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{count:,} rows, decimal {decimal!r}: {count / seconds:,.0f} rows/s; the csv module alone {count / alone:,.0f}, "
        f"{seconds / alone:.1f} times as many; peak {peak / 1024:.0f} MB, {(peak - before) / 1024:.1f} MB of it for the reading",
        flush=True,
    )


def main() -> None:
    if len(sys.argv) > 2:
        read(Path(sys.argv[1]), sys.argv[2])
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        for decimal in ".,":
            for count in (rows // 10, rows):
                path = Path(folder) / f"{count}.csv"
                write(path, count, decimal)
                subprocess.run([sys.executable, __file__, str(path), decimal], check=True)


if __name__ == "__main__":
    main()

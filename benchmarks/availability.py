"""Whether every question is answered while workers are killed with -9: two workers, 500 questions a second, 20 kills.

    PYTHONPATH=tests .venv/bin/python benchmarks/availability.py [--kills 20] [--rate 500] [--dynamic] [--json]

The client asks the two workers in turn, each question when it is due, and asks the other one when a connection is refused or dropped.
They learn 200 rows a second meanwhile, in 4 shards. A worker that was killed is started again within 2 s, and the other is killed when
it is ready. Milliseconds are counted from when a question was due; staleness is what the answers say, in seconds. With `--dynamic` there
is no static membership: a shard's owner is then missed only after the session timeout of 10 s. Exit status 1 if a question was not
answered.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import harness
from crash import availability
from options import read_options


def main() -> None:
    """Measure and print."""
    options = read_options(__doc__, kills=20, rate=500.0, seed=7, dynamic=False)
    with harness.running_broker() as broker, tempfile.TemporaryDirectory() as folder:
        run = availability.measure(
            broker,
            Path(folder),
            kills=options.kills,
            rate=options.rate,
            seed=options.seed,
            static=not options.dynamic,
            signals=["SIGKILL"],
            tell=lambda line: print(line, file=sys.stderr, flush=True),
        )
        client = asyncio.run(run)
    figures = client.figures()
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:16} {value:,}")
    for problem in client.failed[:5]:
        print(f"not answered: {problem}", file=sys.stderr)
    sys.exit(bool(client.failed))


if __name__ == "__main__":
    main()

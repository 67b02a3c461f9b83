"""Whether every question is answered while workers are killed with -9: two workers, 500 questions a second, 20 kills.

    PYTHONPATH=tests .venv/bin/python benchmarks/availability.py [--kills 20] [--rate 500] [--dynamic] [--json]

The client asks the two workers in turn, each question when it is due, and asks the other one when a connection is refused or dropped.
They learn 200 rows a second meanwhile, in 4 shards. A worker that was killed is started again within 2 s, and the other is killed when
it is ready. Milliseconds are counted from when a question was due; staleness is what the answers say, in seconds. With `--dynamic` there
is no static membership: a shard's owner is then missed only after the session timeout of 10 s. Exit status 1 if a question was not
answered.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path

import harness
from crash import availability


def main() -> None:
    """Measure and print."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that broker and workers go too
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--dynamic", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
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

"""The worker that is shared by the tests which only ask over HTTP and need no settings of their own, and the tasks that it has for them.

Each module has tasks of its own, so that none sees what another appends. A worker takes seconds to start and to get its shards.
"""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

from harness import Worker

RUN = uuid.uuid4().hex[:8]
VIEWS, HOSTILE, DECLARED, COMMAND_LINE, METRICS, AMOUNTS, TERMINAL = (
    f"{name}-{RUN}" for name in ("views", "hostile", "declared", "command-line", "metrics", "amounts", "terminal")
)

TASKS = f"""
[tasks.{VIEWS}]
kind = "binary"
partitions = 2

[tasks.{HOSTILE}]
kind = "binary"

[tasks.{DECLARED}]
kind = "binary"
[tasks.{DECLARED}.features]
price = {{ type = "float", min = 0, max = 100 }}
country = {{ type = "string", values = ["PT", "DE"] }}

[tasks.{COMMAND_LINE}]
kind = "binary"

[tasks.{METRICS}]
kind = "binary"
partitions = 2

[tasks.{AMOUNTS}]
kind = "regression"

[tasks.{TERMINAL}]
kind = "multiclass"
"""


@contextlib.contextmanager
def serving(broker: str, folder: Path) -> Iterator[Worker]:
    """The worker, ready; it is killed afterwards."""
    worker = Worker(folder, broker, TASKS).start()
    try:
        yield worker.wait_ready()
    finally:
        worker.stop("SIGKILL")

"""The processes of jobs: how a worker starts one, and what it needs of the settings."""

import os
import sys

from headrace.agents.jobs.order import Order
from headrace.agents.jobs.process import Subprocess
from headrace.agents.jobs.runner import Launch
from headrace.app.command import HEADRACE
from headrace.app.settings import Settings
from headrace.app.trial import HASH_SEED
from headrace.learning.task import Task

MAKE_MODEL = "make-model"
"""The hidden command that such a process runs."""


def launcher(settings: Settings, task: Task) -> Launch:
    """Make the function that starts the process of a job for a shard of a task. The process reads the same settings as this worker."""
    path = os.pathsep.join(part or os.getcwd() for part in sys.path)  # noqa: PTH109
    environment = os.environ | {"PYTHONHASHSEED": HASH_SEED, "PYTHONPATH": path}

    def launch(partition: int, order: Order) -> Subprocess:
        words = [MAKE_MODEL, "--config", str(settings.path), task.name, str(partition)]
        return Subprocess([*HEADRACE, *words], order, environment)

    return launch

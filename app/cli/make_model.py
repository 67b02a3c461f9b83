"""`headrace make-model`: the process in which a worker has a job done. Nobody types it."""

import sys

import click

from headrace.app.cli.options import task_of, with_settings
from headrace.app.settings import Settings


@click.command(hidden=True)
@with_settings
@click.argument("task")
@click.argument("partition", type=int)
def make_model(settings: Settings, task: str, partition: int) -> None:
    """Read an order from stdin, make its model, and tell the progress on stdout."""
    from headrace.agents.jobs.process import run_job

    found = task_of(settings, task)
    modules = (*settings.worker.modules, *found.modules)
    sys.exit(run_job(found, partition, settings.brokers, modules, settings.worker.job_memory))

"""The command line, called about the task of a worker."""

from click.testing import CliRunner

from headrace.app.cli import headrace


def command(worker, *words):
    """What `headrace WORD TASK ...` prints with the worker's settings; it must succeed."""
    result = CliRunner().invoke(headrace, [words[0], "--config", str(worker.config), worker.task, *words[1:]])
    assert result.exit_code == 0, (words, result.output, result.exception)
    return result.output

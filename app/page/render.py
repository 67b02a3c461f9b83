"""Renders the HTML of the page. What is put into a template is escaped, unless it was rendered from a template itself."""

from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

from markupsafe import Markup

from headrace.app.page.summary import TaskSummary


def _template(name: str) -> Markup:
    return Markup((files(__package__) / "templates" / name).read_text(encoding="utf-8"))  # noqa: S704 our own file


SHELL, TASKS, TASK_ROW, TASK = map(_template, ("shell.html", "tasks.html", "task_row.html", "task.html"))


NONE = "\N{EN DASH}"
"""Stands for a figure that there is not yet."""


class Shell(NamedTuple):
    """What all pages have in common.

    Parameters
    ----------
    root
        The relative URL of `/`, so that the page works under any prefix.
    digest
        Of the files of the page, for their URLs.
    is_guarded
        Whether the worker asks for keys: then the page asks for one, and the HTML has no data.
    """

    root: str
    digest: str
    is_guarded: bool

    def render(self, title: str, script: str, task: str, main: Markup) -> str:
        """Render a page with its main part."""
        return SHELL.format(
            title=title,
            script=script,
            task=task,
            main=main,
            root=self.root,
            files=f"{self.root}page/{self.digest}/",
            guarded="yes" if self.is_guarded else "no",
        )


def render_tasks(shell: Shell, tasks: Sequence[TaskSummary]) -> str:
    """Render the list of all tasks."""
    rows = Markup().join(_row(task) for task in tasks)
    return shell.render("Tasks", "tasks.js", "", TASKS.format(rows=rows))


def render_task(shell: Shell, task: str, summary: TaskSummary | None) -> str:
    """Render the page of a task; without its summary, the page has no data of it.

    Examples
    --------
    >>> "<i>" in render_task(Shell("../", "0", True), "<i>", None)
    False
    """
    told = dict.fromkeys(("kind", "model", "recent", "updates", "messages", "lag", "quarantined"), "")
    if summary is not None:
        told = {
            "kind": summary.kind,
            "model": summary.model,
            "recent": _figure(summary),
            "updates": f"{summary.updates:,}",
            "messages": f"{summary.messages:,}",
            "lag": f"{summary.lag:,}",
            "quarantined": f"{summary.quarantined:,}",
        }
    return shell.render(task, "task.js", task, TASK.format(task=task, **told))


def _row(summary: TaskSummary) -> Markup:
    return TASK_ROW.format(
        task=summary.task,
        kind=summary.kind,
        model=summary.model,
        state=", ".join(f"{count} {state}" for state, count in summary.shards.items()),
        recent=_figure(summary),
        updates=f"{summary.updates:,}",
        messages=f"{summary.messages:,}",
        lag=f"{summary.lag:,}",
    )


def _figure(summary: TaskSummary) -> str:
    """Write the recent metric as the script does."""
    if summary.recent is None:
        return NONE
    return f"{summary.recent:.4g}" if summary.metric == "mae" else f"{100 * summary.recent:.1f} %"

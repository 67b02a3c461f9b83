"""Reads the table of one task, with its features, sources and stored features."""

import math
import re
import sys
from collections.abc import Callable
from pathlib import Path

from headrace.agents.expressions import compile_expression
from headrace.app.settings.onnx_files import read_onnx
from headrace.app.settings.section import read_section, wrong_value
from headrace.learning.errors import DetectorError, ModelError, ReactionError, RecordError
from headrace.learning.records.schema import find_bad_feature
from headrace.learning.records.stored import StoredSchema
from headrace.learning.task import ArmSettings, Columns, Task
from headrace.learning.task.source import Source
from headrace.tables.kafka.topics import topics_of

ELSEWHERE = {
    "name": "The table's own name is the task's.",
    **{
        name: f"Write it into the table of the columns: [tasks.TASK.columns] with {name} = ..."
        for name in ("label", "id", "key", "time", "positive", "negative", "decimal", "encoding", "missing", "dates")
    },
}
"""Keys that users often write into the table of a task although they belong elsewhere, each with its remedy."""


def read_task(path: Path, name: str, raw: object, *, check_models: bool) -> Task:
    """Read the table of the task with this name; `check_models` as for `load`. Raises SettingsError as `read_section` does."""
    where = f"tasks.{name}"
    if not isinstance(raw, dict):
        raise wrong_value(path, where, "is not a table", f"Write [{where}].")
    if stray := next((key for key in ELSEWHERE if key in raw), None):
        raise wrong_value(path, f"{where}.{stray}", "is not a setting", ELSEWHERE[stray])
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        raise wrong_value(path, where, "is no name for a task", "Use up to 63 lower-case letters, digits, '_' and '-'.")
    if "kind" not in raw:
        raise wrong_value(path, f"{where}.kind", "is missing", "Set binary, multiclass, regression or anomaly.")
    features = raw.get("features")
    if isinstance(features, dict):
        for feature, table in features.items():
            _check_feature(path, f"{where}.features.{feature}", table)
    _check_tables(path, where, raw)
    task = read_section(
        path, where, raw | {"name": name, **(_with_files(path, where, raw) if check_models else {})}, Task
    )
    if task.labels is not None and task.kind != "multiclass":
        raise wrong_value(path, f"{where}.labels", f"is not for {task.kind} tasks", "Leave it out.")
    _check_stored(path, task)
    if own := {topic.name for topic in topics_of(task)} & {source.topic for source in task.sources or ()}:
        raise wrong_value(
            path, f"{where}.sources", f"names {own.pop()}, a topic of this task", "Name a topic of others."
        )
    if not check_models:
        return task
    if task.modules:  # the module of a user's own model may be in the folder of the settings
        import_from(str(path.resolve().parent))
    _check_makings(path, where, task)
    return task


def _with_files(path: Path, where: str, raw: dict[str, object]) -> dict[str, object]:
    """Read the ONNX files of arms, and name each by its digest, as a definition does; an empty dict if there are none."""
    arms = raw.get("arms")
    if not isinstance(arms, dict):
        return {}
    named = dict(arms)
    for name, arm in arms.items():
        if not isinstance(arm, dict):
            continue
        read_section(path, f"{where}.arms.{name}", arm, ArmSettings)
        if isinstance(file := arm.get("onnx"), str):
            named[name] = arm | {"onnx": f"sha256:{read_onnx(path, f'{where}.arms.{name}.onnx', file)}"}
    return {"arms": named}


def _check_makings(path: Path, where: str, task: Task) -> None:
    """Check that the model, the detectors and the reactions can be made."""
    from headrace.learning.arms import check_arms
    from headrace.learning.models import build
    from headrace.learning.reactions import reactings
    from headrace.learning.watch import watchings

    makings: dict[str, Callable[[], object]] = {
        "model": lambda: build(task.model, task.kind),
        "detectors": lambda: watchings(task),
        "reactions": lambda: reactings(task),
        "arms": lambda: check_arms(task),
    }
    for key, make in makings.items():
        try:
            make()
        except (ModelError, DetectorError, ReactionError) as error:
            raise wrong_value(path, f"{where}.{key}", f"is wrong: {error.what.rstrip('.')}", error.remedy) from None


def import_from(folder: str) -> None:
    """Add a folder to the import path, so that its modules come before installed packages and after the standard library."""
    if folder not in sys.path:
        installed = (at for at, entry in enumerate(sys.path) if entry.endswith(("site-packages", "dist-packages")))
        sys.path.insert(next(installed, len(sys.path)), folder)


def _check_tables(path: Path, where: str, raw: dict[str, object]) -> None:
    """Check the tables of columns and of sources, so that their errors name a key."""
    if "columns" in raw:
        read_section(path, f"{where}.columns", raw["columns"], Columns)
    if isinstance(sources := raw.get("sources"), list):
        for number, table in enumerate(sources):
            _check_source(path, f"{where}.sources[{number}]", table)


def _check_source(path: Path, where: str, raw: object) -> None:
    source = read_section(path, where, raw, Source)
    for key, expression in source.expressions():
        try:
            compile_expression(expression)
        except ValueError as error:
            remedy = "Correct the expression: https://jmespath.org says how they are written."
            raise wrong_value(path, f"{where}.{key}", f"is no JMESPath expression: {error}", remedy) from None


def _check_feature(path: Path, where: str, raw: object) -> None:
    from headrace.learning.task import Feature

    if not isinstance(raw, dict):
        raise wrong_value(path, where, "is not a table", 'Write for example { type = "float" }.')
    feature = read_section(path, where, raw, Feature)
    for bound in ("min", "max"):
        if math.isnan(getattr(feature, bound) or 0.0):
            raise wrong_value(path, f"{where}.{bound}", "is not a number", "Give a number, or leave it out.")
    if feature.min is not None and feature.max is not None and feature.min > feature.max:
        raise wrong_value(path, where, f"has min {feature.min:g} above max {feature.max:g}", "Exchange them.")
    numeric = feature.type in ("float", "int")
    if not numeric and (feature.min is not None or feature.max is not None):
        raise wrong_value(path, where, f"has a range, but its type is {feature.type}", "Leave min and max out.")
    if feature.values is not None and feature.type != "string":
        raise wrong_value(path, where, f"lists values, but its type is {feature.type}", "Leave values out.")


def _check_stored(path: Path, task: Task) -> None:
    schema = StoredSchema(task)
    for name, stored in schema.stored.items():
        where = f"tasks.{task.name}.stored.{name}"
        if bad := find_bad_feature({name: True}):
            raise wrong_value(path, where, f"is no name for a feature: {bad.what.rstrip('.')}", bad.remedy)
        declared = None if task.features is None else task.features.get(name)
        if task.features is not None and declared is None:
            raise wrong_value(
                path, where, "is not among the task's features", f"Declare it: [tasks.{task.name}.features]."
            )
        if stored.default is None:
            if declared is not None and not declared.optional:
                what = "has no default, and the feature is not optional: without the store there would be no answers"
                raise wrong_value(path, where, what, "Give it a default, or declare the feature optional.")
            continue
        try:
            schema.check(name, stored.default)
        except RecordError as error:
            raise wrong_value(path, f"{where}.default", f"is wrong: {error.what.rstrip('.')}", error.remedy) from None

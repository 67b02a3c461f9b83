"""`headrace baseline`: trains a batch model on a file, and writes it in the format of ONNX, to be compared with the champion."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click
import msgspec

from headrace.app.cli.options import task_of, with_settings
from headrace.app.cli.terminal import say
from headrace.app.files.sample import Sample
from headrace.app.files.sources import Named, open_source
from headrace.app.settings import Settings
from headrace.learning.task import Label, Task, Value

ROWS_MIN = 50
"""The fewest rows that a batch model is trained on."""

HELD_OUT = 5
"""The last of so many parts of the rows tells how good the model is."""

EXTRA = "It needs scikit-learn and skl2onnx: pip install 'headrace[onnx]'."


@click.command()
@with_settings
@click.argument("task")
@click.option(
    "--from",
    "source",
    required=True,
    metavar="SOURCE",
    help="A file of labelled samples, or river:NAME, as for headrace send.",
)
@click.option("--label", metavar="COLUMN", help="The column of the label; otherwise that of the settings, or 'label'.")
@click.option("--id", "identity", metavar="COLUMN", help="The column of the id; otherwise that of the settings.")
@click.option("--key", metavar="COLUMN", help="The column of the key; otherwise that of the settings.")
@click.option("--limit", type=click.IntRange(ROWS_MIN), metavar="N", help="Take the first N rows only.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Where to write it: TASK-batch.onnx beside the settings.",
)
def baseline(
    *,
    settings: Settings,
    task: str,
    source: str,
    label: str | None,
    identity: str | None,
    key: str | None,
    limit: int | None,
    out: str | None,
) -> None:
    """Train a batch model for TASK on SOURCE, as one would without Headrace, and write it as a file of ONNX.

    It is scikit-learn's gradient boosting. The task must declare its features, and a multiclass task its labels. The last fifth of
    the rows tells how good it is; then it is trained on all rows. Declare the file as an arm, and the model answers beside the champion
    on the same records, learns nothing more, and is compared with it.
    """
    wanted = task_of(settings, task)
    _check(wanted)
    path = Path(out) if out is not None else settings.folder / f"{wanted.name}-batch.onnx"
    if path.exists():
        raise click.ClickException(
            f"{path} is there already, and the log may name it. Keep it, and name another: --out FILE."
        )
    opened = open_source(source, wanted, Named(label, identity, key))
    say(*opened.notes, fg="yellow", err=True)
    rows, labels = read(islice(opened.samples, limit))
    if len(rows) < ROWS_MIN:
        raise click.ClickException(
            f"{source} has {len(rows)} rows that can be used. A batch model needs {ROWS_MIN} or more."
        )
    try:
        score, data = train(wanted, rows, labels)
    except ImportError:
        raise click.ClickException(EXTRA) from None
    path.write_bytes(data)
    say(f"{score}. Trained on all {len(rows):,} rows, and wrote {path}.")
    say("Declare it in headrace.toml, and run headrace apply, or start the worker:", "")
    say(f"[tasks.{wanted.name}.arms.batch]", f'onnx = "{path.name}"')


def _check(task: Task) -> None:
    if task.kind == "anomaly":
        raise click.ClickException(
            f"the task '{task.name}' learns without labels, and a batch model is trained on labels. Add a challenger: arms.NAME with model."
        )
    if task.features is None:
        raise click.ClickException(
            f"the task '{task.name}' declares no features, so their order is open. Declare [tasks.{task.name}.features]."
        )
    if task.kind == "multiclass" and not task.labels:
        raise click.ClickException(
            f"the task '{task.name}' declares no labels, so their order is open. Set labels = [...]."
        )


def read(samples: Iterable[Sample]) -> tuple[list[dict[str, Value]], list[Label]]:
    """Read the features and the labels of samples, leaving out those that are invalid or have no label."""
    rows: list[dict[str, Value]] = []
    labels: list[Label] = []
    for sample in samples:
        record = {} if sample.reason else msgspec.json.decode(sample.value)
        if "label" in record and "features" in record:
            rows.append(record["features"])
            labels.append(record["label"])
    return rows, labels


def train(task: Task, rows: Sequence[dict[str, Value]], labels: Sequence[Label]) -> tuple[str, bytes]:
    """Train a batch model; return how good it is on the last fifth of the rows, and its file.

    Raises
    ------
    ImportError
        scikit-learn or skl2onnx is not installed.
    """
    import numpy as np
    from sklearn.metrics import accuracy_score, mean_absolute_error

    table = tabulate(task, rows)
    classes: list[Label] = (
        [] if task.kind == "regression" else [False, True] if task.kind == "binary" else list(task.labels or ())
    )
    if missing := [label for label in classes if label not in labels]:
        raise click.ClickException(f"no row has the label {missing[0]!r}. A batch model needs rows of every label.")
    y = np.array([classes.index(label) for label in labels] if classes else labels)
    cut = len(rows) - len(rows) // HELD_OUT
    tried = make(task).fit(table[:cut], y[:cut])
    answers = tried.predict(table[cut:])
    measure, name = (accuracy_score, "accuracy") if classes else (mean_absolute_error, "mean absolute error")
    score = f"On the last {len(rows) - cut:,} rows: {name} {measure(y[cut:], answers):.4f}"
    return score, export(task, make(task).fit(table, y))


def tabulate(task: Task, rows: Sequence[dict[str, Value]]) -> Any:
    """Make a table with a column for each feature, in the order of the task; what a row lacks is NaN, or an empty string."""
    import numpy as np

    features = (task.features or {}).items()
    lacking = {name: "" if one.type == "string" else float("nan") for name, one in features}
    is_text = any(one.type == "string" for _, one in features)
    return np.array([[row.get(name, lacking[name]) for name in lacking] for row in rows], object if is_text else float)


def make(task: Task) -> Any:
    """Make the model, with the steps that turn strings into numbers."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    kinds = [one.type for one in (task.features or {}).values()]
    texts = [at for at, kind in enumerate(kinds) if kind == "string"]
    numbers = [at for at, kind in enumerate(kinds) if kind != "string"]
    booster = GradientBoostingRegressor if task.kind == "regression" else GradientBoostingClassifier
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    if not texts:
        return make_pipeline(fill, booster(random_state=0))
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False, max_categories=50)
    steps = [("numbers", fill, numbers), ("texts", encode, texts)]
    return make_pipeline(ColumnTransformer([step for step in steps if step[2]]), booster(random_state=0))


def export(task: Task, model: Any) -> bytes:
    """Write a model in the format of ONNX: one row of numbers as its input, or one input of each feature's name where there are strings."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    features = (task.features or {}).items()
    inputs = [
        (name, (StringTensorType if one.type == "string" else FloatTensorType)([None, 1])) for name, one in features
    ]
    if not any(one.type == "string" for _, one in features):
        inputs = [("headrace features", FloatTensorType([None, len(inputs)]))]
    options = {} if task.kind == "regression" else {id(model[-1]): {"zipmap": False}}
    data: bytes = to_onnx(model, initial_types=inputs, options=options).SerializeToString()
    return data

"""`headrace predict`: asks a model for a prediction."""

import json

import click

from headrace.app.cli.client import AnswerError, ask
from headrace.app.cli.options import as_json, asking, task_of
from headrace.app.cli.terminal import say, say_json
from headrace.app.files.cells import BOOLEANS, InvalidCellError, Missing, infer, make_reader
from headrace.app.files.labels import normal
from headrace.app.settings import Settings
from headrace.learning.plain import plain_failure
from headrace.learning.task import Columns, Json, Task
from headrace.tables.kafka.partitioner import partition_of

STALE_SECONDS = 10.0
"""The staleness of an answer above which the command asks the worker whether a shard is stopped."""


@click.command()
@asking
@click.argument("task")
@click.argument("features", nargs=-1, metavar="NAME=VALUE...")
@click.option("--features", "document", metavar="JSON", help="The features as one JSON object.")
@click.option("--id", "record_id", help="The id of the question, which the answer repeats.")
@click.option("--key", help="The entity's key, which decides the shard.")
@as_json
def predict(
    *,
    settings: Settings,
    task: str,
    features: tuple[str, ...],
    document: str | None,
    record_id: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Ask the model of TASK for a prediction from some features.

        headrace predict phishing long_url=1.0 is_popular=0.5

    A VALUE is written as in your files. It has the type that the settings declare for the feature. Without a declared type it is a number,
    a date, true or false, or else a string. A missing one, such as NAME=, is left out.
    """
    wanted = task_of(settings, task)
    question: dict[str, Json] = {"features": parse_features(features, document, wanted)}
    question |= {name: value for name, value in {"id": record_id, "key": key}.items() if value is not None}
    answer = ask(settings, "POST", f"/v1/{wanted.name}/predict", question)
    if answer["staleness_s"] > STALE_SECONDS:
        for partition in find_stopped(settings, wanted, key):
            warning = f"shard {partition} is stopped; see headrace status {wanted.name}"
            say(warning, fg="yellow", err=True)
    if as_json:
        say_json(answer)
        return
    if answer["prediction"] is None:
        say("The model is cold: it has learned nothing yet. Send samples: headrace send.")
        return
    say(
        named(str(answer["prediction"]), wanted) if wanted.kind == "binary" else _plain(answer["prediction"]), bold=True
    )
    if (score := answer.get("score")) is not None and isinstance(answer["prediction"], bool):
        say(f"  score: {score:.4f}")
    for label, probability in (answer["probabilities"] or {}).items():
        say(f"  {named(label, wanted)}: {probability:.4f}")
    say(f"  position {answer['position']}, at most {answer['staleness_s']:g} s old")


def named(label: str, task: Task) -> str:
    """Return a label with the word that the files of a binary task have for it, unless it says the same, such as yes.

    Examples
    --------
    >>> task = Task(name="mail", kind="binary", columns=Columns(positive="spam", negative="ham"))
    >>> named("True", task), named("false", task), named("true", Task(name="ads", kind="binary")), named("a", Task(name="x", kind="multiclass"))
    ('true (spam)', 'false (ham)', 'true', 'a')
    """
    if task.kind != "binary":
        return label
    columns, lower = task.columns or Columns(), label.lower()
    word = columns.positive if lower == "true" else columns.negative
    return lower if word is None or normal(word) in BOOLEANS else f"{lower} ({word})"


def _plain(prediction: object) -> str:
    return str(prediction).lower() if isinstance(prediction, bool) else str(prediction)


def find_stopped(settings: Settings, task: Task, key: str | None) -> list[int]:
    """List the stopped shards that may have given the answer: the shard of the key, or any. An empty list if the worker does not answer."""
    try:
        shards = ask(settings, "GET", f"/v1/{task.name}", timeout=3.0)["shards"]
    except AnswerError:
        return []
    stopped = [shard["partition"] for shard in shards if shard["state"] == "stopped"]
    if key is None:
        return stopped
    return [partition for partition in stopped if partition == partition_of(key, task.partitions)]


def parse_features(pairs: tuple[str, ...], document: str | None, task: Task) -> dict[str, Json]:
    """Read features from a JSON object and from NAME=VALUE pairs; a usage error if either is wrong."""
    declared, columns = task.features or {}, task.columns or Columns()
    missing, decimal = Missing(columns.missing), columns.decimal or "."
    try:
        features = json.loads(document) if document else {}
    except ValueError as error:
        raise click.UsageError(f"--features is not JSON: {plain_failure(error)}.") from None
    if not isinstance(features, dict):
        raise click.UsageError("--features is not a JSON object.")
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"'{pair}' is not NAME=VALUE.")
        try:
            column = infer("", missing.known([value]), decimal)  # without its name: a number is a number
            type_ = declared[name].type if name in declared else column.type
            read = make_reader(name, type_, missing, decimal, columns.dates.get(name) or column.form)
            if (cell := read(value)) is not None:
                features[name] = cell
        except InvalidCellError as error:
            raise click.UsageError(str(error)) from None
    return features

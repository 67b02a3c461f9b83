"""Writes the tables of a task in TOML, for `headrace init`."""

import json
import re
from collections.abc import Mapping
from typing import get_args

import msgspec

from headrace.learning.task import Columns, Feature, Kind

COLUMNS = {
    "decimal": "the decimal sign of numbers",
    "positive": "the label that means true",
    "negative": "the label that means false",
    "missing": "cells that mean: no value",
    "dates": "how dates are written; they become seconds",
}
"""What the keys of the table `columns` mean, as far as their names do not say it."""

HEAD = """\
# Settings of Headrace. All that is commented out shows the default.

[broker]
# url = "kafka://127.0.0.1:9092"       # left out: the embedded broker, in memory only, which `headrace broker` runs

[worker]
# datadir = "data"                     # databases; beside this file
# web = "127.0.0.1:6066"               # where predictions are served
# snapshot_records = 10000             # a snapshot after so many messages
# snapshot_seconds = 1.0               # or so many seconds
snapshot_key_file = "snapshot.key"     # signs them, so that no other writer's are taken up: give all workers the same, and keep it secret

"""

PARTITIONS = (
    "partitions = 1                         # shards, each with a model of its own; keys decide which one a row goes to"
)

FAST: dict[Kind, str] = {"binary": "logistic", "multiclass": "softmax", "regression": "linear"}
"""The fastest model of each kind that has labels."""

EXAMPLE = f"""\
[tasks.phishing]                       # the data set of web pages that comes with River
kind = "binary"                        # binary | multiclass | regression | anomaly
model = "logistic"                     # or committee, experts, naive_bayes, hoeffding_tree, hat, arf, ...
{PARTITIONS}

# What a sample may hold. Without this table any name goes, with a number, a string or a boolean.
# [tasks.phishing.features]
# long_url = {{ type = "float", min = 0, max = 1 }}
# is_popular = {{ type = "float", optional = true }}
"""


def example(name: str) -> str:
    """Write the tables of the example, under another name."""
    return EXAMPLE.replace("phishing]", f"{name}]")


def as_toml(name: str, kind: Kind, features: Mapping[str, Feature], columns: Columns | None, file: str) -> str:
    """Write the tables of a task."""
    head = explained(f"[tasks.{name}]", f"as {quote(file)} shows it")
    lines = [
        head,
        explained(f'kind = "{kind}"', " | ".join(get_args(Kind))),
        *_model_for(kind),
        PARTITIONS,
        "",
    ]
    if columns is not None:
        lines += [
            "# What the columns of your files are for. An option of headrace send overrides it.",
            f"[tasks.{name}.columns]",
        ]
        for key, value in msgspec.structs.asdict(columns).items():
            if value not in (None, [], {}):
                line = f"{key} = {write(value)}"
                lines.append(explained(line, COLUMNS[key]) if key in COLUMNS else line)
        lines.append("")
    lines += ['# What is not declared here is refused. Ranges and values can be declared too: min = 0, max = 1, values = ["a", "b"].',
              f"[tasks.{name}.features]"]  # fmt: skip
    for feature, one in features.items():
        said = {name: getattr(one, name) for name in ("type", "optional", "step", "missing")}
        lines.append(f"{write_key(feature)} = {write({name: value for name, value in said.items() if value})}")
    return "\n".join(lines) + "\n"


def _model_for(kind: Kind) -> list[str]:
    """Write which model to begin with."""
    if kind == "anomaly":
        return [
            explained('model = "half_space_trees"', "or one_class_svm, quantile, seasonal"),
            explained(
                "# threshold = { quantile = 0.99 }",
                "flags one record in a hundred; left out: the score is the prediction",
            ),
        ]
    what = f"several models, each heard as much as it was right; {FAST[kind]} is 50 times as fast"
    return [explained('model = "committee"', what)]


def explained(line: str, comment: str) -> str:
    """Write a line with a comment."""
    return f"{line:<39}# {comment}"


def write(value: object) -> str:
    r"""Write a value in TOML.

    Examples
    --------
    >>> write({"a b": "iso"}), write(["x", "y"]), write('a "b"'), write(True), write(3600)
    ('{ "a b" = "iso" }', '["x", "y"]', '"a \\"b\\""', 'true', '3600')
    """
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{write_key(key)} = {write(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(write, value)) + "]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return quote(str(value))


def write_key(key: str) -> str:
    """Write a key in TOML, in quotes where it needs them."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else quote(key)


def quote(text: str) -> str:
    """Write a string in TOML."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

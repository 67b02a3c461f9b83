"""`headrace init`: writes a first settings file."""

import json
import os
import re
import secrets
import shlex
import tomllib
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import click

from headrace.app.cli.columns import BOOLEANS, WHOLE, Type, infer_type, read_rows
from headrace.app.cli.sources import Columns, check_header
from headrace.app.cli.terminal import say
from headrace.app.proof import SECRET_MIN
from headrace.app.settings import parse
from headrace.learning.task import Kind

KEY = "snapshot.key"

ROWS_READ = 100_000
"""The number of rows of a CSV that are read."""

CLASSES_MAX = 50
"""Labels with more different whole numbers than this are quantities and not classes."""


class Guess(NamedTuple):
    """A guess from a CSV: the task's kind, each feature's type and whether it has empty cells, and the first cells as an example."""

    kind: Kind
    features: dict[str, tuple[Type, bool]]
    first: dict[str, str]


@click.command()
@click.option("--config", default="headrace.toml", show_default=True, metavar="FILE", help="The file to write.")
@click.option(
    "--csv", "table", type=click.Path(exists=True, dir_okay=False), metavar="FILE", help="Samples to begin with."
)
@click.option("--label", metavar="COLUMN", help="The column to predict ('label' unless given).")
@click.option("--id", "identity", metavar="COLUMN", help="The column that identifies a row, which is no feature.")
@click.option("--key", metavar="COLUMN", help="The column of the entity's key, which is no feature.")
@click.option(
    "--kind", type=click.Choice(["binary", "multiclass", "regression"]), help="Otherwise the label's cells say it."
)
@click.option("--task", metavar="NAME", help="The task's name; otherwise that of the CSV file.")
def init(
    *,
    config: str,
    table: str | None,
    label: str | None,
    identity: str | None,
    key: str | None,
    kind: Kind | None,
    task: str | None,
) -> None:
    """Write a headrace.toml: for a CSV file of labelled samples (--csv, --label), or for an example.

    Also writes a key that signs snapshots. It asks nothing and overwrites nothing. The settings are a guess from the first 100,000 rows of the file: check them.
    """
    path = Path(config)
    if path.exists():
        raise click.ClickException(f"{path} is there already. Move it away, or name another file: --config FILE.")
    if not path.parent.is_dir():
        raise click.ClickException(
            f"the folder {path.parent} is not there. Make it, or name another file: --config FILE."
        )
    columns = Columns(label, identity, key)
    if table is None:
        if label or identity or key or kind:
            raise click.UsageError("--label, --id, --key and --kind are about a CSV file: name it with --csv FILE.")
        name = task or "phishing"
        text = HEAD + EXAMPLE.replace("phishing]", f"{name}]")
        send, features = "river:Phishing", "long_url=1 is_popular=0.5"
    else:
        name = task or re.sub(r"[^a-z0-9]+", "-", Path(table).stem.lower()).strip("-")[:40] or "task"
        guess = guess_task(Path(table), columns, kind)
        text = HEAD + as_toml(name, guess, Path(table).name)
        options = {"--label": label, "--id": identity, "--key": key}
        send = " ".join(
            [shlex.quote(table), *(f"{option} {shlex.quote(value)}" for option, value in options.items() if value)]
        )
        pairs = [f"{feature}={cell}" for feature, cell in guess.first.items()]
        features = " ".join(map(shlex.quote, pairs))
    parse(tomllib.loads(text), path)
    secret = path.parent / KEY
    try:
        made = make_key(secret)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        what = f"{error.filename} cannot be read or written: {error.strerror}."
        raise click.ClickException(f"{what} Grant the right to, or name another file: --config FILE.") from None
    named = "" if config == "headrace.toml" else f" --config {shlex.quote(config)}"
    say(f"Wrote {path} and {secret}." if made else f"Wrote {path}. It uses the {secret} that is there.")
    say(f"{secret} is secret: give all workers the same, keep a copy, and do not commit it.")
    say(f"Read {path} through; then, each in a terminal of its own:", "")
    say("  headrace broker               # or set broker.url to your Kafka", f"  headrace worker{named}")
    say(f"  headrace send{named} {name} {send}", f"  headrace status{named} {name}")
    say(f"  headrace predict{named} {name} {features}")


def make_key(path: Path) -> bool:
    """Write a new snapshot key that nobody else can read, and return True; or check the existing one, and return False."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if (size := len(path.read_bytes().strip())) < SECRET_MIN:
            what = f"{path} is there already and has {size} bytes; a snapshot key has {SECRET_MIN} or more."
            remedy = "Move it away, and init makes a new one, or put back the key that the other workers have."
            raise click.ClickException(f"{what} {remedy}") from None
        return False
    with open(file, "w", encoding="ascii") as key:  # noqa: PTH123 a descriptor
        key.write(f"{secrets.token_hex(32)}\n")
    return True


def guess_task(path: Path, columns: Columns, kind: Kind | None) -> Guess:
    """Guess the kind and the features of a task from the rows of a CSV."""
    with path.open("rb") as lines:
        rows = read_rows(lines)
        first = next(rows, None)
        if first is None:
            raise click.UsageError(f"{path} is empty.")
        header = first.cells
        label = check_header(header, columns)
        read = [row.cells for row in islice(rows, ROWS_READ) if len(row.cells) == len(header)]
    try:
        for row in (header, *read):
            "".join(row).encode()
    except UnicodeEncodeError:
        raise click.UsageError(f"{path} is not UTF-8. Convert it: iconv -f LATIN1 -t UTF-8.") from None
    if not read:
        raise click.UsageError(f"{path} has no rows under its header.")
    cells = {name: [row[place] for row in read] for place, name in enumerate(header)}
    labels = set(cells[label])
    excluded = {label, columns.id, columns.key}
    features = {name: (infer_type(column), "" in column) for name, column in cells.items() if name not in excluded}
    if not features:
        raise click.UsageError(f"{path} has no column beside the label to learn from.")
    shown = {name: next((cell for cell in cells[name] if cell), "") for name in islice(features, 4)}
    return Guess(kind or _guess_kind(labels - {""}), features, shown)


def _guess_kind(labels: set[str]) -> Kind:
    if labels and all(label.lower() in BOOLEANS for label in labels):
        return "binary"
    if infer_type(labels) != "float":
        return "multiclass"
    whole = all(WHOLE.fullmatch(label) for label in labels)
    return "multiclass" if whole and len(labels) <= CLASSES_MAX else "regression"


def as_toml(name: str, guess: Guess, file: str) -> str:
    """Return the TOML tables of the task."""
    head = f"{f'[tasks.{name}]':<39}# as {json.dumps(file, ensure_ascii=False)} shows it"
    lines = [head, KINDS[guess.kind], PARTITIONS, ""]
    lines += ['# What is not declared here is refused. Ranges and values can be declared too: min = 0, max = 1, values = ["a", "b"].',
              f"[tasks.{name}.features]"]  # fmt: skip
    for feature, (type_, optional) in guess.features.items():
        bare = re.fullmatch(r"[A-Za-z0-9_-]+", feature)
        written = feature if bare else json.dumps(feature, ensure_ascii=False)
        lines.append(f'{written} = {{ type = "{type_}"{", optional = true" if optional else ""} }}')
    return "\n".join(lines) + "\n"


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

KINDS: dict[Kind, str] = {
    "binary": 'kind = "binary"                        # binary | multiclass | regression\n'
    'model = "logistic"                     # or alma, pa, naive_bayes, hoeffding_tree, hat, mondrian_forest, arf, ...',
    "multiclass": 'kind = "multiclass"                    # binary | multiclass | regression\n'
    'model = "softmax"                      # or naive_bayes, hoeffding_tree, hat, mondrian_forest, arf, ...',
    "regression": 'kind = "regression"                    # binary | multiclass | regression\n'
    'model = "linear"                       # or hoeffding_regressor, mondrian_regressor, online_linear, ...',
}

EXAMPLE = f"""\
[tasks.phishing]                       # the data set of web pages that comes with River
{KINDS["binary"]}
{PARTITIONS}

# What a sample may hold. Without this table any name goes, with a number, a string or a boolean.
# [tasks.phishing.features]
# long_url = {{ type = "float", min = 0, max = 1 }}
# is_popular = {{ type = "float", optional = true }}
"""

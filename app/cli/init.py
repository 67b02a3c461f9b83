"""`headrace init`: looks at a file, says what it saw, and writes settings to begin with."""

import os
import re
import secrets
import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click
import msgspec

from headrace.app.cli.declaring import HEAD, as_toml, example
from headrace.app.cli.seen import show
from headrace.app.cli.terminal import say
from headrace.app.files.doubts import find_doubts
from headrace.app.files.labels import normal
from headrace.app.files.look import Look, first_cell, look
from headrace.app.files.several import read_several
from headrace.app.files.sources import Named
from headrace.app.proof import SECRET_MIN
from headrace.app.settings import parse
from headrace.learning.task import Columns, Kind

KEY = "snapshot.key"

EXAMPLES = 40
"""The most features that the example of a prediction has. It has all that a question needs, if they are no more."""

WIDTH = 80
"""The widest that a line of an example is."""


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option("--config", default="headrace.toml", show_default=True, metavar="FILE", help="The file to write.")
@click.option("--csv", "table", metavar="FILE", help="The same as FILE.")
@click.option("--label", metavar="COLUMN", help="The column to predict; otherwise one called label, target, class, ...")
@click.option("--id", "identity", metavar="COLUMN", help="The column that identifies a row, which is no feature.")
@click.option("--key", metavar="COLUMN", help="The column of the entity's key, which is no feature.")
@click.option("--time", metavar="COLUMN", help="The column of the event time, which is no feature.")
@click.option(
    "--kind", type=click.Choice(get_args(Kind)), help="Otherwise the label's cells say it; anomaly needs no label."
)
@click.option("--positive", metavar="LABEL", help="The label that means true: the task is binary.")
@click.option("--task", metavar="NAME", help="The task's name; otherwise that of the file.")
@click.option("--add", is_flag=True, help="Add the task to a headrace.toml that is there.")
def init(
    *,
    files: tuple[str, ...],
    config: str,
    table: str | None,
    label: str | None,
    identity: str | None,
    key: str | None,
    time: str | None,
    kind: Kind | None,
    positive: str | None,
    task: str | None,
    add: bool,
) -> None:
    """Inspect FILE, print what it contains, and write a headrace.toml for it; without FILE, for an example.

    FILE holds labelled samples (for --kind anomaly, the label may be missing), and is whatever headrace send takes: CSV, JSON lines, Parquet,
    packed or not, a glob, or - for standard input. Of several files a sample of each is looked at, and it is said where their columns
    differ. What was found out of the columns (label, id, key, time, decimal sign, missing values, dates) stands in the table
    [tasks.NAME.columns], so that headrace send needs no option.

    Also writes a key that signs snapshots. It asks nothing and overwrites nothing. The settings are a guess from the first 100,000 rows: check them.
    """
    path = Path(config)
    before = _read_before(path, add=add)
    names = [*files, *([table] if table is not None else [])]
    if positive is not None and kind not in (None, "binary", "anomaly"):
        raise click.UsageError(f"--positive is for binary tasks and anomalies, and --kind says {kind}.")
    if not names:
        if label or identity or key or kind or time or positive:
            raise click.UsageError("--label, --id, --key, --time, --kind and --positive are about a file: name it.")
        name = task or "phishing"
        text, send, pairs = example(name), ["river:Phishing"], ["long_url=1", "is_popular=0.5"]
    else:
        name = task or name_of(names[0])
        text, pairs = _look(names, Named(label, identity, key, time), kind, positive, name)
        send = names
    text = (HEAD if before is None else before.rstrip("\n") + "\n\n") + text
    if before is not None and name in tomllib.loads(before).get("tasks", {}):
        raise click.ClickException(f"{path} has a task '{name}' already. Give this one another name: --task NAME.")
    parse(tomllib.loads(text), path)
    _write(path, text, is_new=before is None)
    named = [] if config == "headrace.toml" else ["--config", config]
    if before is None:
        say(f"Read {path} through; then, each in a terminal of its own:", "")
        say("  headrace broker               # or set broker.url to your Kafka", *_command("worker", *named))
    else:
        say(f"Read [tasks.{name}] through, and start the workers again; then:", "")
    say(*_command("send", *named, name, *send), *_command("status", *named, name))
    say(*_command("predict", *named, name, *pairs))


def _command(*words: str) -> list[str]:
    """Write a command as lines for a shell, which are continued where they would be too long."""
    lines = ["  headrace"]
    for word in map(shlex.quote, words):
        if len(lines[-1]) + len(word) > WIDTH - 3:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {word}"
    return lines


def name_of(file: str) -> str:
    """Make a name for a task from that of a file.

    Examples
    --------
    >>> name_of("data/My table.csv.gz"), name_of("-")
    ('my-table', 'task')
    """
    stem = re.sub(
        r"(?i)(\.(csv|tsv|txt|dat|data|json|jsonl|ndjson|parquet|pq|arrow|feather|gz|bz2|xz|zst))+$",
        "",
        Path(file).name,
    )
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40].rstrip("-") or "task"


def _read_before(path: Path, *, add: bool) -> str | None:
    """Return the settings to which a task is added; None if a file is to be written."""
    if not add:
        if path.exists():
            what = f"{path} is there already. Add the task to it: --add. Or move it away, or name another file: --config FILE."
            raise click.ClickException(what)
        if not path.parent.is_dir():
            raise click.ClickException(
                f"the folder {path.parent} is not there. Make it, or name another file: --config FILE."
            )
        return None
    try:
        text = path.read_text(encoding="utf-8")
        tomllib.loads(text)
    except FileNotFoundError:
        raise click.ClickException(f"{path} is not there. Leave --add out, and it is written.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path} cannot be read: {error}. Grant the right to.") from None
    except tomllib.TOMLDecodeError as error:
        raise click.ClickException(f"{path} is not TOML: {error}. Correct that line.") from None
    return text


def _look(
    names: Sequence[str], named: Named, kind: Kind | None, positive: str | None, name: str
) -> tuple[str, list[str]]:
    """Inspect these files and print what they contain; return the tables of the task, and features for an example of a prediction."""
    several = read_several(names)
    table = several.table
    seen = look(table, several.name, named, kind, positive, has_records=several.has_records)
    show(seen, several.name, list(find_doubts(seen, table)))
    features = {feature: one.feature for feature, one in seen.seen.items() if one.feature is not None}
    columns = of_records(seen) if several.is_records else seen.columns
    if columns is not None and several.encoding is not None:
        columns = msgspec.structs.replace(columns, encoding=several.encoding)
    text = as_toml(name, seen.kind, features, columns, several.name)
    pairs = [f"{feature}={first_cell(seen, feature, table)}" for feature in list(features)[:EXAMPLES]]
    return text, pairs


def of_records(seen: Look) -> Columns | None:
    """Return the settings of columns for a file of records: the two words of the label, if it is words. Label, id and time of a record have fixed names."""
    columns = seen.columns
    written = {normal(label) for label in seen.label}
    if columns.positive is None or written <= {"true", "false"}:
        return None
    return Columns(positive=columns.positive, negative=columns.negative)


def _write(path: Path, text: str, *, is_new: bool) -> None:
    """Write the settings file; with a new one, also a snapshot key beside it."""
    secret = path.parent / KEY
    try:
        made = make_key(secret) if is_new else False
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        what = f"{error.filename} cannot be read or written: {error.strerror}."
        raise click.ClickException(f"{what} Grant the right to, or name another file: --config FILE.") from None
    if not is_new:
        say(f"Added the task to {path}.")
        return
    say(f"Wrote {path} and {secret}." if made else f"Wrote {path}. It uses the {secret} that is there.")
    say(f"{secret} is secret: give all workers the same, keep a copy, and do not commit it.")


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

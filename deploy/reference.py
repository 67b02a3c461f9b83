"""Prints the tables of docs/reference.md and docs/modules.md from the code: `make reference` writes them, and a test compares them.

In a document a table stands between `<!-- table: NAME -->` and `<!-- end -->`. All else there is written by hand.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import click
import msgspec

from headrace.agents.jobs import JOBS
from headrace.app.cli import COMMANDS, headrace
from headrace.app.contract import Operation, operations
from headrace.app.credentials import BrokerTls, Sasl, WebTls
from headrace.app.environment import ENVIRONMENT
from headrace.app.families import FAMILIES
from headrace.app.openapi import problems_of
from headrace.app.problems import PROBLEMS
from headrace.app.settings import Broker, Features, Notify, Worker
from headrace.app.views import ROUTES
from headrace.learning.catalogue import KindCatalogue
from headrace.learning.codes import ALERTS, ERRORS, REFUSALS, Meaning
from headrace.learning.commands import COMMANDS as CONTROLS
from headrace.learning.control_record import Arguments
from headrace.learning.drift import DETECTORS
from headrace.learning.features import FEATURES, FILLS
from headrace.learning.guards import GUARDS
from headrace.learning.metrics import METRICS
from headrace.learning.models import MODELS
from headrace.learning.reactions import REACTIONS
from headrace.learning.task import (
    ArmSettings,
    Columns,
    Cost,
    Duration,
    Experiment,
    Feature,
    Guard,
    LabelRate,
    Outlier,
    Rehearsal,
    Row,
    Stored,
    Task,
    Threshold,
    Unanswered,
    Update,
    Versions,
)
from headrace.learning.task.source import Expression, Source
from headrace.tables.kafka.topics import TOPICS, topics_of

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "reference.md"
MAP = ROOT / "docs" / "modules.md"
MARKED = re.compile(r"<!-- table: (?P<name>[\w.]+) -->\n(?P<table>.*?)<!-- end -->", re.DOTALL)

NOUNS: list[tuple[Any, str]] = [
    (list[Row], "list of tables"),
    (Duration, "duration"),
    (Expression, "expression"),
    (str, "string"),
    (bool, "boolean"),
    (int, "whole number"),
    (float, "number"),
]
"""What types are called; the first that fits counts."""

SETTINGS: dict[str, type[msgspec.Struct]] = {
    "broker": Broker,
    "broker.tls": BrokerTls,
    "broker.sasl": Sasl,
    "worker": Worker,
    "worker.tls": WebTls,
    "features": Features,
    "notify": Notify,
    "tasks": Task,
    "tasks.features": Feature,
    "tasks.columns": Columns,
    "tasks.stored": Stored,
    "tasks.unanswered": Unanswered,
    "tasks.update": Update,
    "tasks.sources": Source,
    "tasks.versions": Versions,
    "tasks.guard": Guard,
    "tasks.guard.label_rate": LabelRate,
    "tasks.guard.outlier": Outlier,
    "tasks.rehearsal": Rehearsal,
    "tasks.arms": ArmSettings,
    "tasks.experiments": Experiment,
    "tasks.threshold": Threshold,
    "tasks.costs": Cost,
}
"""Each table of `headrace.toml`, and the struct that reads it."""

COMMON = {field.name for field in msgspec.structs.fields(Arguments)}
"""What every control record may have."""


def write_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    r"""Write a table of Markdown, with links where a cell names a section of another document.

    Examples
    --------
    >>> print(write_table(["Code", "Meaning"], [["`dry`", "It rains | not."]]))
    | Code | Meaning |
    |---|---|
    | `dry` | It rains \| not. |
    <BLANKLINE>
    """
    head = list(head)
    lines = [head, *([link_sections(cell.replace("|", "\\|")) for cell in row] for row in rows)]
    written = ["| " + " | ".join(cells) + " |" for cells in lines]
    return "\n".join([written[0], "|---" * len(head) + "|", *written[1:], ""])


def link_sections(text: str) -> str:
    """Turn `"Memory" in docs/how-to/capacity.md` into a link to the section, and the name of a document into a link to it.

    Raises
    ------
    ValueError
        The document has no such section.
    """

    def link(found: re.Match[str]) -> str:
        document: str = found["document"]
        known = re.findall(r"(?m)^#+ (.+)$", (ROOT / "docs" / document).read_text())
        target = "" if document == DOCUMENT.name else document

        def one(title: re.Match[str]) -> str:
            if title[1] not in known:
                msg = f"docs/{document} has no section '{title[1]}'"
                raise ValueError(msg)
            anchor = re.sub(r"[^\w\- ]", "", title[1].lower()).replace(" ", "-")
            return f"[{title[1]}]({target}#{anchor})"

        return re.sub(r'"([^"]+)"', one, found["titles"])

    text = re.sub(r'(?P<titles>"[^"]+"(?:(?:, | and )"[^"]+")*) in docs/(?P<document>[\w/-]+\.md)', link, text)
    return re.sub(r"docs/([\w/-]+\.md)", r"[\1](\1)", text)


def read_parameters(struct: type) -> dict[str, str]:
    """Read what the section Parameters of a class's docstring says of each.

    Examples
    --------
    >>> read_parameters(Stored)
    {'default': 'The value to use if the store has none, or is down, slow or wrong. Left out: the record then lacks the feature.'}
    """
    _, _, section = (inspect.getdoc(struct) or "").partition("Parameters\n----------\n")
    section = re.split(r"\n\n\w+\n-+\n", section)[0]
    return {
        name: " ".join(lines.split())
        for name, lines in re.findall(r"(?m)^(\w+)\n((?:[ ]{4}.*\n?|\n)+)", section + "\n")
    }


def read_first(docstring: str | None) -> str:
    r"""Read the first paragraph of a docstring as one line.

    Examples
    --------
    >>> read_first("A fold:\nof a log.\n\nSee there.")
    'A fold: of a log.'
    """
    return " ".join((docstring or "").split("\n\n")[0].split())


def name_type(hint: Any) -> str:
    """Name a type as a reader of settings would, with its bounds.

    Examples
    --------
    >>> name_type(Annotated[int, msgspec.Meta(ge=1, le=1024)] | None), name_type(list[str]), name_type(Literal["a", "b"])
    ('whole number, 1 to 1024', 'list of strings', '`"a"` or `"b"`')
    >>> name_type(Literal["a", "b", "c"])
    '`"a"`, `"b"` or `"c"`'
    """
    for known, noun in NOUNS:
        if hint == known:
            return noun
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        wanted = [part for part in parts if part is not NoneType]
        duration = get_args(Duration)
        if all(part in wanted for part in duration):  # a union within a union is laid flat
            wanted = [part for part in wanted if part not in duration] + [Duration]
        if {int, float} <= set(wanted):
            wanted.remove(int)
        return " or ".join(dict.fromkeys(map(name_type, wanted)))
    if origin is Literal:
        return " or ".join(", ".join(f'`"{part}"`' for part in parts).rsplit(", ", 1))
    if origin is Annotated:
        return name_type(parts[0]) + "".join(name_bounds(meta) for meta in parts[1:])
    if origin is list:
        many = [f"{name_type(part)}s" for part in (get_args(parts[0]) or parts)]
        return f"list of {name_type(parts[0]) if get_origin(parts[0]) is Literal else ' or '.join(many)}"
    return "table"


def name_bounds(meta: msgspec.Meta) -> str:
    """Name the bounds of a number: `, 1 or more`."""
    if meta.ge is not None and meta.le is not None:
        return f", {meta.ge:.10g} to {meta.le:.10g}"
    if meta.gt is not None and meta.le is not None:
        return f", above {meta.gt:.10g}, up to {meta.le:.10g}"
    if meta.ge is not None:
        return f", {meta.ge:.10g} or more"
    return "" if meta.gt is None else f", above {meta.gt:.10g}"


def name_default(field: Any) -> str:
    """Name the default of a setting, as it would be written."""
    if field.required:
        return "required"
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    if default in (None, ""):
        return "left out"
    return "the table's own defaults" if isinstance(default, msgspec.Struct) else f"`{_write(default)}`"


def _write(value: Any) -> str:
    """Write a value as TOML has it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_write(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_write, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else f"{value:.10g}"


def print_settings(struct: type[msgspec.Struct]) -> str:
    """Print a table of settings; KeyError if the struct's docstring does not say what one means."""
    hints, said = get_type_hints(struct, include_extras=True), read_parameters(struct)
    fields = [field for field in msgspec.structs.fields(struct) if (struct, field.name) != (Task, "name")]
    rows = [
        [f"`{field.name}`", name_type(hints[field.name]), name_default(field), said[field.name]] for field in fields
    ]
    return write_table(["Key", "Type", "Default", "Meaning"], rows)


def print_topics() -> str:
    """Print the topics of a task that has all there can be."""
    source = Source(topic="orders", label="paid", id="id")
    task = Task(name="<task>", kind="binary", stored={"vip": Stored()}, sources=[source])
    rows = []
    for topic in topics_of(task):
        partitions = "`partitions` of the task" if topic.task else str(topic.partitions)
        settings = ", ".join(f"`{name}={value}`" for name, value in (topic.wanted | topic.asked).items())
        rows.append([f"`{topic.name}`", partitions, settings, TOPICS[topic.name.rpartition(".")[2]]])
    return write_table(["Topic", "Partitions", "Made with", "Meaning"], rows)


def print_route(one: Operation) -> list[str]:
    """Print the row of a route."""
    problems = problems_of(one, has_keys=True) | ({404} if "{task}" in one.path else set())
    statuses = [one.contract.status, *sorted(problems)]
    role = f"`{one.contract.role}`" if one.contract.role else "none"
    return [f"`{one.method.upper()} {one.path}`", role, ", ".join(map(str, statuses)), one.summary]


def print_families() -> str:
    """Print the metric families of `/metrics`, in alphabetical order."""
    rows = [
        [f"`{one.name}`", one.type, ", ".join(f"`{label}`" for label in (*labels, *one.labels)), one.meaning]
        for labels, families in FAMILIES
        for one in families
    ]
    return write_table(["Name", "Type", "Labels", "Meaning"], sorted(rows))


def print_codes(table: Mapping[str, Meaning]) -> str:
    """Print a table of codes."""
    rows = [[f"`{code}`", meaning.sentence, meaning.remedy] for code, meaning in table.items()]
    return write_table(["Code", "Meaning", "What to do"], rows)


def print_problems() -> str:
    """Print the table of problems."""
    rows = [[str(status), f"`{code}`", *meaning] for (status, code), meaning in PROBLEMS.items()]
    return write_table(["Status", "Code", "Meaning", "What to do"], rows)


def print_command(name: str, command: click.Command) -> str:
    """Print the section of a command: how it is called, its help, and its options."""
    context = click.Context(command, info_name=name)
    usage = " ".join(["headrace", name, *command.collect_usage_pieces(context)])
    paragraphs = [
        paragraph if paragraph.startswith("    ") else textwrap.fill(" ".join(paragraph.split()), 100)
        for paragraph in inspect.cleandoc(command.help or "").split("\n\n")
    ]
    records = [record for option in command.params if (record := option.get_help_record(context))]
    options = write_table(["Option", "Meaning"], [[f"`{option}`", " ".join(said.split())] for option, said in records])
    parts = [f"### `headrace {name}`", f"`{usage}`", *paragraphs, *([options.strip()] if records else [])]
    return "\n\n".join(parts) + "\n"


def print_commands() -> str:
    """Print a section for each command that `headrace --help` lists."""
    context = click.Context(headrace)
    listed = {name: headrace.get_command(context, name) for name, row in COMMANDS.items() if row.summary}
    return "\n" + "\n".join(print_command(name, command) for name, command in listed.items() if command) + "\n"


def print_catalogue(catalogue: KindCatalogue[Callable[..., Any]], *, has_parameters: bool) -> str:
    """Print a table of names that fit some kinds of tasks: a row for each function or class behind a name."""
    rows = []
    for name, makers in catalogue.items():
        for maker in dict.fromkeys(makers.values()):
            kinds = ", ".join(f"`{kind}`" for kind, other in makers.items() if other is maker)
            parameters = ", ".join(
                f"`{parameter.name}`" if parameter.default is None else f"`{parameter.name} = {parameter.default}`"
                for parameter in inspect.signature(maker).parameters.values()
                if has_parameters
            )
            rows.append(
                [f"`{name}`", kinds, *([parameters] if has_parameters else []), read_first(inspect.getdoc(maker))]
            )
    return write_table(["Name", "Kinds", *(["Parameters"] if has_parameters else []), "Meaning"], rows)


def print_metrics() -> str:
    """Print the table of metrics: a row for each function behind a name."""
    rows = {name: {kind: metric.read for kind, metric in kinds.items()} for name, kinds in METRICS.items()}
    return print_catalogue(KindCatalogue("metric", rows), has_parameters=False)


def print_names(table: Mapping[str, Any]) -> str:
    """Print a table of names, with the first paragraph of the docstring of each."""
    return write_table(
        ["Name", "Meaning"], [[f"`{name}`", read_first(inspect.getdoc(thing))] for name, thing in table.items()]
    )


def print_made(table: Mapping[str, Any]) -> str:
    """Print a table of names of classes, with their parameters and the first paragraph of the docstring of each."""
    rows = [[f"`{name}`", _tell_parameters(kind), read_first(inspect.getdoc(kind))] for name, kind in table.items()]
    return write_table(["Name", "Parameters", "Meaning"], rows)


def _tell_parameters(kind: Any) -> str:
    parameters = () if kind.__init__ is object.__init__ else inspect.signature(kind).parameters.values()
    return ", ".join(
        f"`{one.name}`" if one.default is one.empty else f"`{one.name} = {one.default}`" for one in parameters
    )


def print_detectors() -> str:
    """Print the table of detectors: with the series that each can watch."""
    rows = []
    for name, kind in DETECTORS.items():
        takes = ", ".join(sorted(kind.takes)) if isinstance(kind.takes, frozenset) else "what all of its detectors take"
        rows.append([f"`{name}`", _tell_parameters(kind), takes, read_first(inspect.getdoc(kind))])
    return write_table(["Name", "Parameters", "Takes", "Meaning"], rows)


def print_controls() -> str:
    """Print the control records: what each may have, and what it does. KeyError if a docstring does not say what a part means."""
    rows = []
    for name, command in CONTROLS.items():
        said = read_parameters(command.arguments)
        fields = [field for field in msgspec.structs.fields(command.arguments) if field.name not in COMMON]
        parts = [f"`{field.name}`{'' if field.required else ', optional'}: {said[field.name]}" for field in fields]
        rows.append([f"`{name}`", " ".join(parts), read_first(inspect.getdoc(command.act))])
    return write_table(["Command", "May have", "What it does"], rows)


def print_modules(room: str) -> str:
    """Print the modules of a room, with the first paragraph of the docstring of each."""
    rows = []
    for module in sorted((ROOT / room).rglob("*.py")):
        docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
        rows.append([f"`{module.relative_to(ROOT)}`", read_first(docstring)])
    return write_table(["Module", "What it is"], rows)


TABLES: dict[str, Callable[[], str]] = {
    **{name: lambda struct=struct: print_settings(struct) for name, struct in SETTINGS.items()},
    "environment": lambda: write_table(
        ["Variable", "Meaning"], [[f"`{name}`", text] for name, text in ENVIRONMENT.items()]
    ),
    "topics": print_topics,
    "routes": lambda: write_table(["Route", "Role", "Answers", "Meaning"], map(print_route, operations(ROUTES))),
    "prometheus": print_families,
    "problems": print_problems,
    "refusals": lambda: print_codes(REFUSALS),
    "alerts": lambda: print_codes(ALERTS),
    "errors": lambda: print_codes(ERRORS),
    "commands": print_commands,
    "models": lambda: print_catalogue(MODELS, has_parameters=True),
    "metrics": print_metrics,
    "detectors": print_detectors,
    "steps": lambda: print_made(FEATURES),
    "fills": lambda: print_made(FILLS),
    "reactions": lambda: print_made(REACTIONS),
    "guards": lambda: print_names(GUARDS),
    "controls": print_controls,
    "jobs": lambda: write_table(["Job", "Meaning"], [[f"`{name}`", kind.summary] for name, kind in JOBS.items()]),
}
"""Each table of the reference by the name of its marker."""

PRINTED: dict[Path, dict[str, Callable[[], str]]] = {
    DOCUMENT: TABLES,
    MAP: {room: lambda room=room: print_modules(room) for room in ("app", "agents", "tables", "learning")},
}
"""The documents that have tables, and their tables."""


def fill(text: str, tables: Mapping[str, Callable[[], str]] = TABLES) -> str:
    """Put the tables in their places in a document.

    Raises
    ------
    ValueError
        The document does not have each table once.
    """
    names = [found["name"] for found in MARKED.finditer(text)]
    if sorted(names) != sorted(tables):
        msg = f"the document has the tables {', '.join(names)}, and there are {', '.join(tables)}"
        raise ValueError(msg)
    return MARKED.sub(lambda found: f"<!-- table: {found['name']} -->\n{tables[found['name']]()}<!-- end -->", text)


def main() -> int:
    """Write the documents; the exit status is 0."""
    for document, tables in PRINTED.items():
        text = document.read_text(encoding="utf-8")
        filled = fill(text, tables)
        document.write_text(filled, encoding="utf-8")
        print(f"{document.relative_to(ROOT)}: {'as it was' if filled == text else 'written'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

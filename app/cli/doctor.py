"""`headrace doctor`: what is as it should be, what is not, and what to do."""

import asyncio
import importlib.metadata
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import click
import msgspec
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import ApiVersionRequest
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from headrace.app import broker as embedded
from headrace.app.cli.client import ask
from headrace.app.cli.options import as_json as json_option
from headrace.app.doors import doors_of
from headrace.app.limits import descriptor_limit, needed_descriptors
from headrace.app.settings import Settings, import_from, load
from headrace.learning.errors import BrokerError, HeadraceError
from headrace.learning.fold.finding import Finding
from headrace.learning.task import Kind
from headrace.tables.kafka.clients import Brokers

DISK_MIN = 1 << 30
"""Bytes free for the databases, below which a worker would soon stand still."""

REDIS_SECONDS = 2.0

FETCH = 1
"""Key of the Fetch request in Kafka's protocol; which versions of it a broker speaks tells how old it is."""

FETCH_OF_KAFKA_4 = 4
"""Kafka 4.0 forgot the older versions of Fetch than this."""

EARLIEST = 1_767_225_600.0  # 2026: before this program was made
LATEST = 4_102_444_800.0  # 2100


@click.command()
@click.option("--config", metavar="FILE", help="Settings; otherwise HEADRACE_CONFIG or headrace.toml.")
@click.option("--model", metavar="NAME", help="Check this model alone: MODULE:FUNCTION, or a name of the catalogue.")
@click.option(
    "--kind",
    type=click.Choice(get_args(Kind)),
    help="With --model: the kind of task; otherwise the first that the model is for.",
)
@json_option
def doctor(*, config: str | None, model: str | None, kind: Kind | None, as_json: bool) -> None:
    """Look at everything that a worker needs, and say what to do.

    With --model, hold a model to what learning from a log needs of it: its state can be saved and goes on the same, nothing in it is left to
    chance, its answers are right, and three processes come to the same state. No settings are read; a module is looked for in this folder
    too.

    Exit status: 0 all well, 1 something is at fault.
    """
    if model is not None:
        found = examine_model(model, kind)
    elif kind is not None:
        raise click.UsageError("--kind is for --model.")
    else:
        settings = load(config)
        found = [finding for check in CHECKS for finding in check(settings)]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        Console().print(as_table(found))
    if any(finding.status == "fault" for finding in found):
        sys.exit(1)


def examine_model(model: str, kind: Kind | None) -> list[Finding]:
    """Make all checks of a model."""
    from headrace.app.model_check import check_model  # with River, which takes a second

    import_from(str(Path.cwd()))
    return check_model(model, kind=kind).findings


def as_table(found: list[Finding]) -> Table:
    """The findings, for people: what to do stands below what was found, so that both have room on a narrow terminal."""
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("found, and what to do", overflow="fold")
    marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "fault": "[red]fault[/]"}
    for finding in found:
        table.add_row(marks[finding.status], escape(finding.check), escape(finding.what))
        if finding.remedy:
            table.add_row("", "", f"[bold]{escape(finding.remedy)}[/]")
    return table


def check_settings(settings: Settings) -> Iterator[Finding]:
    """The settings could be read, so only what is read later is left: secrets and API keys."""
    try:
        signed = "signed" if settings.snapshot_key() else "not signed"
        settings.check_signed()
        doors = doors_of(settings, ())
        keys = len(doors.keys)
        asked = f"{keys} API keys" if keys else "no API keys"
        what = f"{settings.path} (tasks: {', '.join(settings.tasks)}); snapshots are {signed}; {asked}"
        yield Finding("settings", "ok", what)
        if keys and doors.proofs is None:
            what = "there are API keys and no group secret: workers pass no questions on to each other"
            yield Finding(
                "group secret", "note", what, "With several workers, set HEADRACE_GROUP_SECRET on all of them."
            )
        for weak in settings.weak_secrets():
            yield Finding("secrets", "note", weak.what, weak.remedy)
    except HeadraceError as error:
        yield Finding("settings", "fault", error.what, error.remedy)


def check_versions(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    """The libraries that are pinned are there in just that version: snapshots and the driver depend on them."""
    wrong = []
    for requirement in importlib.metadata.requires("headrace") or []:
        pinned = re.fullmatch(r"([A-Za-z0-9_-]+)(?:\[.*\])?==([\w.]+)", requirement)  # what has a marker is optional
        if pinned and (found := importlib.metadata.version(pinned[1])) != pinned[2]:
            wrong.append(f"{pinned[1]} is {found}, not {pinned[2]}")
    if wrong:
        yield Finding("versions", "fault", "; ".join(wrong), "Install what requirements.txt locks.")
    else:
        python = ".".join(map(str, sys.version_info[:3]))
        yield Finding("versions", "ok", f"Python {python}; every pinned library is as pinned")


def check_hash_seed(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    """A worker starts itself again with the right seed; a program that folds by itself must be started with it."""
    seed = os.environ.get("PYTHONHASHSEED")
    if seed in (None, "0"):
        yield Finding("hash seed", "ok", "PYTHONHASHSEED is 0" if seed else "a worker sets PYTHONHASHSEED for itself")
    else:
        what = f"PYTHONHASHSEED is {seed} here; a worker sets 0 for itself"
        yield Finding("hash seed", "note", what, "Set 0 for programs of your own that fold.")


def check_clock(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    """The clock, which stamps messages where the broker does not, is not plainly wrong."""
    now = time.time()
    told = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
    if EARLIEST < now < LATEST:
        yield Finding("clock", "ok", f"{told} UTC")
    else:
        yield Finding("clock", "fault", f"the clock says {told} UTC", "Set it, and keep it right: NTP.")


def check_datadir(settings: Settings) -> Iterator[Finding]:
    """The databases' folder, or the one in which a worker makes it, can be written and has room. Nothing is made."""
    folder = place = settings.datadir
    try:
        place = next((one for one in (folder, *folder.parents) if one.exists()), folder)
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(b"0")
        free = shutil.disk_usage(place).free
    except OSError as error:
        yield Finding("datadir", "fault", f"{place} cannot be written: {error.strerror}", "Set worker.datadir.")
        return
    told = f"{folder}: {free / (1 << 30):.1f} GiB free" + (", a worker makes it" if place != folder else "")
    if free < DISK_MIN:
        yield Finding("datadir", "fault", told, "Make room: 1 GiB at least.")
    else:
        yield Finding("datadir", "ok", told)


def check_descriptors(settings: Settings) -> Iterator[Finding]:
    """A worker may open as many files as it needs for every shard, whoever owns it: of the others it holds replicas."""
    shards = sum(task.partitions for task in settings.tasks.values())
    limit, needed = descriptor_limit(), needed_descriptors(shards)
    told = f"{limit} open files are allowed; a worker needs {needed} for {shards} shard{'s' * (shards != 1)}"
    if limit < needed:
        remedy = "Raise the hard limit: ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of Docker."
        yield Finding("open files", "fault", told, remedy)
    else:
        yield Finding("open files", "ok", told)


def check_broker(settings: Settings) -> Iterator[Finding]:
    """The broker answers, and the topics are there and right."""
    try:
        brokers = settings.brokers
        yield from asyncio.run(_ask_broker(settings, brokers))
    except HeadraceError as error:
        yield Finding("broker", "fault", error.what, error.remedy)
    except (KafkaError, OSError) as error:
        yield Finding("broker", "fault", f"the broker at {brokers} failed: {error!r}", "Look at its log.")


async def _ask_broker(settings: Settings, brokers: Brokers) -> list[Finding]:
    from headrace.tables.kafka.topics import connect, find_missing, find_problems, sources_of, topics_of

    admin = await connect(brokers)
    try:
        cluster = await admin.describe_cluster()
        # Faust's driver has no word for the version of a broker; its own request is asked here, and it is pinned.
        versions = (await admin._send_request(ApiVersionRequest())).api_versions  # noqa: SLF001
        lowest = {key: low for key, low, *_ in versions}.get(FETCH, 0)
        age = "of Kafka 4.0 or newer" if lowest >= FETCH_OF_KAFKA_4 else "older than Kafka 4.0"
        nodes = len(cluster["brokers"])
        told = f"{brokers}: {nodes} node{'s' * (nodes != 1)}, cluster {cluster['cluster_id']}, protocol {age}"
        found = [Finding("broker", "ok", told)]
        there = set(await admin.list_topics())
        topics = [topic for task in settings.tasks.values() for topic in topics_of(task)]
        problems = await find_problems(admin, [topic for topic in topics if topic.name in there])
        problems += find_missing(sources_of(settings.tasks.values()), there)
    finally:
        await admin.close()
    found += [Finding("topics", "fault", problem.what, problem.remedy) for problem in problems]
    if missing := [topic.name for topic in topics if topic.name not in there]:
        what = f"{len(missing)} of {len(topics)} topics are not there yet: {', '.join(missing)}"
        found.append(Finding("topics", "note", what, "A starting worker makes them."))
    elif not problems:
        found.append(Finding("topics", "ok", f"{len(topics)} topics are there and right"))
    return found


def check_features(settings: Settings) -> Iterator[Finding]:
    """Where stored features are kept answers; only looked at if a task has any."""
    features = settings.features
    if not any(task.stored for task in settings.tasks.values()):
        return
    if features.url is None:
        yield Finding("feature store", "ok", f"embedded, in {settings.datadir}")
        return
    try:
        from headrace.tables.redis_features import ping

        asyncio.run(ping(features.url, REDIS_SECONDS))
        yield Finding("feature store", "ok", f"{features.shown} answers")
    except ImportError:
        what = f"{features.shown}: redis-py is not installed"
        yield Finding("feature store", "fault", what, "Run: pip install 'headrace[redis]'.")
    except Exception as error:  # noqa: BLE001 redis-py's own errors are known only where it is installed
        what = f"{features.shown} does not answer: {error}"
        yield Finding("feature store", "fault", what, "Start it, or set features.url. Answers have defaults meanwhile.")


def check_worker(settings: Settings) -> Iterator[Finding]:
    """Whether a worker answers at its address, which none has to, and whether one of its shards is stopped."""
    stopped = False
    try:
        for task in settings.tasks:
            told = ask(settings, "GET", f"/v1/{task}", timeout=2.0)
            for shard in told.get("shards", ()):
                if error := shard.get("error"):
                    stopped = True
                    what = f"shard {shard['partition']} of '{task}' is {shard['state']}: {error}"
                    yield Finding("worker", "fault", what, "See docs/how-to/stopped-shard.md.")
            for source in told.get("sources", {}).get("partitions", ()):
                if error := source["error"]:
                    stopped = True
                    what = f"source {source['topic']}/{source['partition']} of '{task}' is {source['state']}: {error}"
                    yield Finding("worker", "fault", what, "See docs/how-to/own-topic.md.")
        ask(settings, "GET", "/readyz", timeout=2.0)
        if not stopped:
            yield Finding("worker", "ok", f"the worker at {settings.address} is ready")
    except HeadraceError as error:
        if not stopped:
            yield Finding("worker", "note", error.what, error.remedy)


def check_optional(settings: Settings) -> Iterator[Finding]:
    """Where brokers for development could come from."""
    try:
        embedded.binary()
        yield Finding("embedded broker", "ok", "installed (headrace broker)")
    except BrokerError as error:
        yield Finding("embedded broker", "note" if settings.broker.url else "fault", error.what, error.remedy)
    missing = [program for program in ("java", "mvn") if shutil.which(program) is None]
    if missing:
        what = f"{' and '.join(missing)} not there; only make kafka and the tests on a real Kafka need it"
        yield Finding("java, maven", "note", what, "Install Java 17 and Maven for these.")
    else:
        yield Finding("java, maven", "ok", "there, for make kafka")


CHECKS: list[Callable[[Settings], Iterator[Finding]]] = [
    check_settings,
    check_versions,
    check_hash_seed,
    check_clock,
    check_datadir,
    check_descriptors,
    check_broker,
    check_features,
    check_worker,
    check_optional,
]

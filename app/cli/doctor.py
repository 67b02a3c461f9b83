"""`headrace doctor`: checks settings and surroundings, or a model, and says what to do."""

import asyncio
import importlib.metadata
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import get_args

import click
import msgspec
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import ApiVersionRequest
from rich.table import Table

from headrace.app import broker as embedded
from headrace.app.cli.client import ask
from headrace.app.cli.options import as_json as json_option
from headrace.app.cli.screen import Screen, styled
from headrace.app.cli.terminal import say_json
from headrace.app.doors import doors_of
from headrace.app.hook_check import check_hook
from headrace.app.limits import descriptor_limit, needed_descriptors
from headrace.app.settings import Settings, import_from, load
from headrace.learning.errors import BrokerError, HeadraceError
from headrace.learning.fold.finding import Finding
from headrace.learning.plain import plain_failure
from headrace.learning.task import Json, Kind
from headrace.tables.kafka.clients import Brokers

DISK_MIN = 1 << 30
"""The free bytes on the disk of the databases below which a worker would soon fail."""

REDIS_SECONDS = 2.0

FETCH = 1
"""The key of the Fetch request in Kafka's protocol. The versions of Fetch that a broker speaks show its age."""

FETCH_OF_KAFKA_4 = 4
"""The lowest version of Fetch that Kafka 4.0 speaks."""

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
    """Check everything that a worker needs, and say what to do.

    With --model, check that a model can learn from a log: its state can be saved and learns on equally, it uses no unseeded chance, its answers
    are valid, and three processes reach the same state. No settings are read. Modules are also imported from this folder.

    Exit status: 0 if there is no fault, 1 if there is one.
    """
    if model is not None:
        findings = examine_model(model, kind)
    elif kind is not None:
        raise click.UsageError("--kind is for --model.")
    else:
        settings = load(config)
        findings = [finding for check in CHECKS for finding in check(settings)]
    if as_json:
        say_json(msgspec.to_builtins(findings))
    else:
        Screen().print(as_table(findings))
    if any(finding.status == "fault" for finding in findings):
        sys.exit(1)


def examine_model(model: str, kind: Kind | None) -> list[Finding]:
    """Run all checks of a model."""
    from headrace.app.model_check import check_model  # imports River, which takes a second

    import_from(str(Path.cwd()))
    return check_model(model, kind=kind).findings


def as_table(findings: list[Finding]) -> Table:
    """Format findings for a terminal. The remedy is below the finding, so that both have room on a narrow terminal."""
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("found, and what to do", overflow="fold")
    styles = {"ok": "green", "note": "yellow", "fault": "red"}
    for finding in findings:
        table.add_row(styled(finding.status, styles[finding.status]), finding.check, finding.what)
        if finding.remedy:
            table.add_row("", "", styled(finding.remedy, "bold"))
    return table


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Check the secrets and the API keys, which are not read together with the settings."""
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
    """Check that pinned libraries are installed in exactly the pinned version, on which snapshots and the Kafka driver depend."""
    wrong = []
    for requirement in importlib.metadata.requires("headrace") or []:
        pinned = re.fullmatch(
            r"([A-Za-z0-9_-]+)(?:\[.*\])?==([\w.]+)", requirement
        )  # a requirement with a marker is optional
        if pinned and (installed := importlib.metadata.version(pinned[1])) != pinned[2]:
            wrong.append(f"{pinned[1]} is {installed}, not {pinned[2]}")
    if wrong:
        yield Finding("versions", "fault", "; ".join(wrong), "Install what requirements.txt locks.")
    else:
        python = ".".join(map(str, sys.version_info[:3]))
        yield Finding("versions", "ok", f"Python {python}; every pinned library is as pinned")


def check_hash_seed(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    """Check the hash seed. A worker restarts itself with the right one; a user's program that folds must be started with it."""
    seed = os.environ.get("PYTHONHASHSEED")
    if seed in (None, "0"):
        yield Finding("hash seed", "ok", "PYTHONHASHSEED is 0" if seed else "a worker sets PYTHONHASHSEED for itself")
    else:
        what = f"PYTHONHASHSEED is {seed} here; a worker sets 0 for itself"
        yield Finding("hash seed", "note", what, "Set 0 for programs of your own that fold.")


def check_clock(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    """Check that the clock is not plainly wrong: it stamps messages if the broker does not."""
    now = time.time()
    shown = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
    if EARLIEST < now < LATEST:
        yield Finding("clock", "ok", f"{shown} UTC")
    else:
        yield Finding("clock", "fault", f"the clock says {shown} UTC", "Set it, and keep it right: NTP.")


def check_datadir(settings: Settings) -> Iterator[Finding]:
    """Check that the folder of the databases, or the folder in which a worker makes it, is writable and has room. No folder is made."""
    folder = place = settings.datadir
    try:
        place = next((parent for parent in (folder, *folder.parents) if parent.exists()), folder)
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(b"0")
        free = shutil.disk_usage(place).free
    except OSError as error:
        yield Finding("datadir", "fault", f"{place} cannot be written: {error.strerror}", "Set worker.datadir.")
        return
    what = f"{folder}: {free / (1 << 30):.1f} GiB free" + (", a worker makes it" if place != folder else "")
    if free < DISK_MIN:
        yield Finding("datadir", "fault", what, "Make room: 1 GiB at least.")
    else:
        yield Finding("datadir", "ok", what)


def check_descriptors(settings: Settings) -> Iterator[Finding]:
    """Check that a worker may open enough files for every shard: it holds replicas of the shards that it does not own."""
    shards = sum(task.partitions for task in settings.tasks.values())
    limit, needed = descriptor_limit(), needed_descriptors(shards)
    what = f"{limit} open files are allowed; a worker needs {needed} for {shards} shard{'s' * (shards != 1)}"
    if limit < needed:
        remedy = "Raise the hard limit: ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of Docker."
        yield Finding("open files", "fault", what, remedy)
    else:
        yield Finding("open files", "ok", what)


def check_broker(settings: Settings) -> Iterator[Finding]:
    """The broker answers, and the topics are there and right."""
    try:
        brokers = settings.brokers
        yield from asyncio.run(_ask_broker(settings, brokers))
    except HeadraceError as error:
        yield Finding("broker", "fault", error.what, error.remedy)
    except (KafkaError, OSError) as error:
        yield Finding("broker", "fault", f"the broker at {brokers} failed: {plain_failure(error)}", "Look at its log.")


async def _ask_broker(settings: Settings, brokers: Brokers) -> list[Finding]:
    from headrace.tables.kafka.topics import connect, find_missing, find_problems, sources_of, topics_of

    admin = await connect(brokers)
    try:
        cluster = await admin.describe_cluster()
        # aiokafka has no public method for the versions of a broker; its private one is safe, since aiokafka is pinned.
        versions = (await admin._send_request(ApiVersionRequest())).api_versions  # noqa: SLF001
        lowest = {key: low for key, low, *_ in versions}.get(FETCH, 0)
        age = "of Kafka 4.0 or newer" if lowest >= FETCH_OF_KAFKA_4 else "older than Kafka 4.0"
        nodes = len(cluster["brokers"])
        what = f"{brokers}: {nodes} node{'s' * (nodes != 1)}, cluster {cluster['cluster_id']}, protocol {age}"
        findings = [Finding("broker", "ok", what)]
        existing = set(await admin.list_topics())
        topics = [topic for task in settings.tasks.values() for topic in topics_of(task)]
        problems = await find_problems(admin, [topic for topic in topics if topic.name in existing])
        problems += find_missing(sources_of(settings.tasks.values()), existing)
    finally:
        await admin.close()
    findings += [Finding("topics", "fault", problem.what, problem.remedy) for problem in problems]
    if missing := [topic.name for topic in topics if topic.name not in existing]:
        what = f"{len(missing)} of {len(topics)} topics are not there yet: {', '.join(missing)}"
        findings.append(Finding("topics", "note", what, "A starting worker makes them."))
    elif not problems:
        findings.append(Finding("topics", "ok", f"{len(topics)} topics are there and right"))
    return findings


def check_features(settings: Settings) -> Iterator[Finding]:
    """Check that the feature store answers, if a task has stored features."""
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
        what = f"{features.shown} does not answer: {plain_failure(error)}"
        yield Finding("feature store", "fault", what, "Start it, or set features.url. Answers have defaults meanwhile.")


def check_worker(settings: Settings) -> Iterator[Finding]:
    """Check whether a worker answers, and whether a shard of it is stopped. A worker that does not answer is no fault."""
    stopped = False
    try:
        for task in settings.tasks:
            status = ask(settings, "GET", f"/v1/{task}", timeout=2.0)
            for shard in status.get("shards", ()):
                if error := shard.get("error"):
                    stopped = True
                    what = f"shard {shard['partition']} of '{task}' is {shard['state']}: {error}"
                    yield Finding("worker", "fault", what, "See docs/how-to/stopped-shard.md.")
            if differing := sorted({key for shard in status.get("shards", ()) for key in shard.get("wanted", ())}):
                what = f"the task '{task}' goes by the log, and its settings differ: {', '.join(differing)}"
                yield Finding("definition", "note", what, f"headrace apply {task} puts the settings in force.")
            for shard in status.get("shards", ()):
                for what in shard.get("absent", {}).values():
                    sentence, _, remedy = what.partition(". ")
                    yield Finding("arms", "note", f"shard {shard['partition']} of '{task}': {sentence}", remedy)
            yield from find_refused(status)
            yield from find_misplaced(task, status.get("shards", ()))
            yield from find_changed(task, status.get("shards", ()))
            for source in status.get("sources", {}).get("partitions", ()):
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


def find_refused(status: dict[str, Json]) -> Iterator[Finding]:
    """Yield a finding if the worker has refused records of a task since it started."""
    codes = status.get("quarantined", {}).get("codes", {})
    if codes:
        counts = ", ".join(f"{count:,} {code}" for code, count in codes.items())
        noun = "record was" if sum(codes.values()) == 1 else "records were"
        what = f"{sum(codes.values()):,} {noun} refused by '{status['task']}' since the worker started: {counts}"
        yield Finding("quarantine", "note", what, f"headrace quarantine {status['task']} says why, and what to do.")


def find_misplaced(task: str, shards: Sequence[dict[str, Json]]) -> Iterator[Finding]:
    """Yield a finding if a producer puts keys into other shards than Headrace does: a label then misses its question."""
    placed = [shard["placement"] for shard in shards if "placement" in shard]
    misplaced = sum(one["misplaced"] for one in placed)
    if not misplaced:
        return
    what = f"{misplaced} of {sum(one['looked_at'] for one in placed)} keys of '{task}' lie in another shard than theirs"
    remedy = "Set partitioner=murmur2_random on producers with librdkafka (confluent-kafka, kcat, node-rdkafka): "
    if sum(one["by_crc32"] for one in placed) == misplaced:
        what += ", where librdkafka's default partitioner (crc32) puts them"
        remedy += "a question and its label then meet."
    else:
        remedy += "theirs is crc32. Others need Java's murmur2 as well. Keys move too if partitions were added later."
    yield Finding("keys", "note", f"{what}: a question and a label may miss each other", remedy)


def find_changed(task: str, shards: Sequence[dict[str, Json]]) -> Iterator[Finding]:
    """Yield a finding for each feature that has come, gone or changed its type, once for all shards."""
    changes = {(one["feature"], one["kind"]): one for shard in shards for one in shard.get("changes", ())}
    for (_, kind), change in changes.items():
        remedy = "Nothing, if it is meant. Otherwise correct the sender, or a source's mapping."
        if kind == "type":
            remedy += " Where features are declared, such records are refused."
        yield Finding("features", "note", f"'{task}': {change['text']}", remedy)


def check_optional(settings: Settings) -> Iterator[Finding]:
    """Check which brokers for development are available."""
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
    check_hook,
    check_worker,
    check_optional,
]

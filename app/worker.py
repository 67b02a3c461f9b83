"""The worker: a process that folds its share of the shards and answers requests from them."""

import asyncio
import gc
import hashlib
import os
import platform
import secrets
import sys
from collections.abc import Collection, Mapping
from functools import partial
from typing import NoReturn

import faust
import structlog
from faust.auth import Credentials, SASLCredentials, SSLCredentials

from headrace.agents.background import Background
from headrace.agents.budget import Budget
from headrace.agents.collaborators import Collaborators
from headrace.agents.ingest import Ingest
from headrace.agents.learn import LearningApp, follow_assignments
from headrace.agents.notifier import Notifier
from headrace.agents.pace import Pace
from headrace.agents.requests import Requests
from headrace.agents.source_context import SourceContext
from headrace.agents.topic_watch import TopicWatch, Trouble
from headrace.app.connections import Web
from headrace.app.contract import operations
from headrace.app.doors import Doors, doors_of
from headrace.app.ending import FAILED, Ending
from headrace.app.ending import run as run_until_stopped
from headrace.app.errors import answer_problems
from headrace.app.hooks import make_hook
from headrace.app.jobs import launcher
from headrace.app.lane.connection import LaneConnection
from headrace.app.lane.lane import Lane
from headrace.app.limits import needed_descriptors, open_standard_streams, raise_descriptor_limit
from headrace.app.locks import check_port, lock_folder
from headrace.app.logs import set_up_logging
from headrace.app.loop import LoopPolicy
from headrace.app.peers import is_loopback
from headrace.app.place import Place, own_settings
from headrace.app.request_id import identify
from headrace.app.serving.requests import answering
from headrace.app.settings import Settings
from headrace.app.settings.onnx_files import read_again
from headrace.app.siblings import Siblings, end_with_parent
from headrace.app.stores import make_mirror, make_store
from headrace.app.tracing import make_tracing, tracer_of
from headrace.app.trial import try_models
from headrace.app.views import ROUTES, add_views
from headrace.app.views.health import announce_ready, is_ready
from headrace.app.wiring import Wiring
from headrace.learning.fold.warm_up import warm_up
from headrace.learning.kernel import use_kernel
from headrace.learning.models.onnx import LOOK_AGAIN
from headrace.tables.enricher import Enricher
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.metadata import TopicDescription
from headrace.tables.kafka.topics import LACKING, prepare, sources_of, topics_of

log = structlog.get_logger()

ANSWER_SECONDS = 1.0
"""How long a worker that stops waits for requests that it is still answering."""

SWITCH_SECONDS = 0.001
"""How long a thread may hold the interpreter's lock while another thread waits for it. Faust's consumer runs in a thread of its own and waits
for the lock dozens of times in a fetch. With Python's 5 ms these waits were so long that the fold ran out of records."""


def group_of(settings: Settings) -> str:
    """Return the name of the consumer group that shares the shards among its workers.

    The group does not depend on the tasks. In a rolling deploy that adds or removes a task, workers with the old list and with the new
    one are members of the same group, so each shard has one owner. Kafka assigns the shards of a task only to workers that have the task.
    """
    return settings.worker.group


def instance_of(settings: Settings, name: str | None, described: Mapping[str, TopicDescription]) -> str | None:
    """Return the id of a static member in the group: its name, and a hash of the topics that it consumes.

    Kafka gives a restarted static member the assignment that it had, even if the member now consumes other topics: it would get partitions of a
    task that it no longer has, and none of a new task. The same happens if a topic was made anew or has got more partitions: if all
    members are static, their restart triggers no new assignment. So a worker with other topics is another member, and the group drops the old
    member after the session timeout.

    Parameters
    ----------
    settings
        The settings of this worker.
    name
        The name of the member; None for a member that is not static.
    described
        The existing topics, by name.
    """
    if name is None:
        return None
    topics = sorted({task.events for task in settings.tasks.values()} | set(sources_of(settings.tasks.values())))
    parts = [
        f"{topic} {described[topic].id} {described[topic].partitions}" if topic in described else topic
        for topic in topics
    ]
    return f"{name}.{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:8]}"


def wire(
    settings: Settings,
    instance: str | None,
    impure: Collection[str] = frozenset(),
    siblings: Siblings | None = None,
) -> Wiring:
    """Wire the parts of a worker.

    Parameters
    ----------
    settings
        The settings of this worker.
    instance
        The id of a static member of the group; None for a member that is not static.
    impure
        The names of the tasks whose models change when they predict.
    siblings
        The processes with which this one shares a port, if there are any.
    """
    LOOK_AGAIN[str(settings.path)] = partial(read_again, settings.path)
    doors = doors_of(settings, operations(ROUTES))
    host, port, brokers = settings.web_host, settings.web_port, settings.brokers
    pace, tracing = Pace(), make_tracing()
    app = LearningApp(
        group_of(settings),
        buffer_bytes=settings.worker.buffer_bytes,
        pace=pace,
        broker=f"kafka://{brokers.hosts.replace(',', ';kafka://')}",
        broker_credentials=credentials_of(brokers),
        broker_client_id=f"headrace@{settings.address}",  # shows the members of the group who owns a shard, and at which address
        consumer_group_instance_id=instance,
        datadir=str(settings.datadir),
        store="memory://",
        topic_replication_factor=1,
        # Tests that kill workers at random have led to every setting below; docs/how-to/faust.md says what each is for.
        stream_wait_empty=False,
        stream_buffer_maxsize=1024,
        producer_acks=-1,
        producer_request_timeout=30,
        broker_commit_interval=1.0,
        broker_max_poll_records=1000,
        broker_session_timeout=settings.worker.session_seconds,
        broker_heartbeat_interval=settings.worker.session_seconds / 5,
        broker_request_timeout=max(15.0, settings.worker.session_seconds + 5),
        table_standby_replicas=0,
        web_enabled=True,
        web_router_enabled=False,
        web_tables_enabled=False,
        web_bind=host,
        web_host=host,
        web_port=port,
        web_application_options={
            "client_max_size": settings.worker.body_limit,
            "middlewares": [identify, *([tracing.trace] if tracing else []), answer_problems, doors.admit],
        },
        web_ssl_context=settings.worker.tls.context(settings.folder) if settings.worker.tls else None,
    )
    budget, key = Budget(), settings.snapshot_key()
    writer = f"{platform.node()[:32]}.{os.getpid()}.{secrets.token_hex(4)}"
    for task in settings.tasks.values():
        collaborators = Collaborators(
            task,
            brokers,
            settings.datadir,
            app.commit_position,
            writer="".join(c if c.isalnum() or c in "._-" else "-" for c in writer),
            key=key,
            budget=budget,
            snapshot_records=settings.worker.snapshot_records,
            snapshot_seconds=settings.worker.snapshot_seconds,
            modules=settings.worker.modules,
            launch=launcher(settings, task),
            mirror=make_mirror(settings, task),
            pace=pace,
        )
        collaborators.telemetry.tracer = tracer_of(tracing)
        app.learn(task, collaborators)
        if task.stored:
            app.enrichers[task.name] = Enricher(task, make_store(settings, task), settings.features.budget_ms / 1000)
        if task.sources:
            enricher = app.enrichers.get(task.name)
            context = SourceContext(
                task,
                settings.brokers,
                app.commit_position,
                enricher,
                key,
                pace=pace,
                telemetry=collaborators.telemetry,
            )
            app.ingest(task, Ingest(context))
    if tracing is not None:
        app.closing.append(tracing.stop)
    follow_assignments(app)
    wiring, hook = add_views(app, settings, impure, siblings), make_hook(settings)
    lane = Lane(wiring.serving, doors, settings.worker.body_limit, tracing)
    assert isinstance(app.web, Web)
    app.web.make_connections(partial(LaneConnection, lane))
    for served in wiring.serving.tasks.values():
        requests = Requests(served.task, settings.brokers, answering(wiring.serving, served), pace)
        app.background.append(Background(f"requests of {served.task.name}", requests.run, pace=pace))
        app.described.append(served.arrivals.checking)
        app.closing.append(served.arrivals.stop)
        if hook is not None and settings.notify is not None and settings.notify.wants(served.task.name):
            notifier = Notifier(
                served.task.name, settings.brokers, settings.notify.kinds, hook, telemetry=served.telemetry, pace=pace
            )
            app.background.append(Background(f"notifications of {served.task.name}", notifier.run, pace=pace))
    watch = TopicWatch(brokers, settings.tasks.values(), partial(act_on_trouble, app, brokers), pace)
    app.background.append(Background("topics", watch.run, pace=pace))
    app.background.append(Background("readiness", lambda: announce_ready(wiring, settings.address), pace=pace))
    if siblings is not None:
        listen = partial(siblings.listen, app.web._runner, partial(is_ready, wiring))  # noqa: SLF001 Faust offers one port
        app.background.append(Background("shared port", listen, pace=pace))
        app.closing.append(siblings.stop)
    app.web._runner._shutdown_timeout = ANSWER_SECONDS  # noqa: SLF001 Faust leaves it at aiohttp's default, a minute
    return wiring


async def act_on_trouble(app: LearningApp, brokers: Brokers, trouble: Trouble) -> None:
    """Stop a source or a task if it cannot go on without a lost topic. Other lost topics are made again."""
    shards, ingest = app.learning[f"{trouble.task}.events"], app.ingesting.get(trouble.task)
    if ingest is not None and trouble.topic in ingest.topics:
        ingest.stop_source(trouble.topic, trouble.error)
    elif trouble.topic == shards.task.events and trouble.error.code != LACKING:
        await shards.stop_task(trouble.error)
    else:
        log.warning("topics are made again or widened", task=trouble.task, topic=trouble.topic, why=str(trouble.error))
        await prepare(brokers, topics_of(shards.task))


def credentials_of(brokers: Brokers) -> Credentials | None:
    """Turn the security settings of the brokers into Faust's credentials, for its consumer and its producer."""
    if brokers.login is not None:
        login = brokers.login
        return SASLCredentials(
            mechanism=login.mechanism, username=login.username, password=login.password, ssl_context=brokers.tls
        )
    return None if brokers.tls is None else SSLCredentials(brokers.tls)


class Process(faust.Worker):
    """Faust's worker without its signal handlers, one of which opens a debugger: `Ending` handles signals."""

    def install_signal_handlers(self) -> None:
        """Install no handlers."""


def run(settings: Settings, instance: str | None = None, level: str = "info", place: Place | None = None) -> NoReturn:
    """Run a worker until SIGTERM or SIGINT, then end the process.

    Parameters
    ----------
    settings
        The settings of the worker.
    instance
        The name of a static member of the group; None for a member that is not static.
    level
        The lowest level that is logged.
    place
        The place of this process among those of `headrace worker --processes`; None for a worker of one process.
    """
    open_standard_streams()
    writer = set_up_logging(level, process=place.number if place else None)
    ending = Ending(writer.drain)
    ending.watch()
    siblings = None
    if place is not None:
        end_with_parent(0, ending.request)
        settings, siblings = own_settings(settings, place), Siblings(settings, place)
    doors = doors_of(settings, ())  # refuse wrong settings before any file or topic is made
    make_hook(settings)
    settings.check_signed()
    warn_of_doors(settings, doors)
    check_port(settings.web_host, settings.web_port)
    with lock_folder(settings.datadir):  # while the worker runs
        run_locked(settings, instance, ending, siblings)


def run_locked(settings: Settings, instance: str | None, ending: Ending, siblings: Siblings | None = None) -> NoReturn:
    """Run a worker whose folder is locked, until `ending` asks it to stop; then end the process."""
    log.info("starting", web=settings.address, broker=str(settings.brokers), tasks=sorted(settings.tasks))
    check_descriptors(sum(task.partitions for task in settings.tasks.values()))
    verdicts = try_models(settings)
    use_kernel(yes=os.environ.get("HEADRACE_KERNEL") != "off")
    warm_up(settings.tasks.values())
    topics = [topic for task in settings.tasks.values() for topic in topics_of(task)]
    described = asyncio.run(prepare(settings.brokers, topics, sources_of(settings.tasks.values())))
    asyncio.set_event_loop_policy(LoopPolicy())
    impure = {name for name, verdict in verdicts.items() if not verdict.pure}
    wiring = wire(settings, instance_of(settings, instance, described), impure, siblings)
    worker = Process(wiring.app, loglevel="WARNING", redirect_stdouts=False, override_logging=False, quiet=True)
    worker.spinner = None
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()  # imported and wired objects live until the end: scanning them took 0.1 s of every full collection
    status = FAILED
    try:
        status = run_until_stopped(worker, ending)
    finally:
        ending.exit(status)


def warn_of_doors(settings: Settings, doors: Doors) -> None:
    """Log a warning for each weak setting of keys, the group or secrets with which a worker still runs."""
    if doors.keys and settings.worker.tls is None and not is_loopback(settings.web_host):
        log.warning("keys travel in the clear: set worker.tls, or put a proxy with TLS before the worker")
    if doors.keys and doors.proofs is None:
        log.warning(
            "questions are not passed on to other workers: set worker.group_secret_file or HEADRACE_GROUP_SECRET"
        )
    for weak in settings.weak_secrets():
        log.warning(weak.what, remedy=weak.remedy)


def check_descriptors(shards: int) -> None:
    """Raise the limit of open files, and log a warning if it is still too low."""
    limit, needed = raise_descriptor_limit(), needed_descriptors(shards)
    if limit < needed:
        log.warning("too few open files are allowed: raise the hard limit (ulimit -Hn)", limit=limit, needed=needed)

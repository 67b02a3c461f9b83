"""The answers of a worker over HTTP, for its views and for clients. Nothing here imports the web server."""

from headrace.app.answers.answer import Answer, Appended, At, Position
from headrace.app.answers.declared import read_settings, tell_settings
from headrace.app.answers.done import Controlled, Done
from headrace.app.answers.history import HistoryPoint, HistoryPoints
from headrace.app.answers.predictions import ArmAnswer, AskedQuestion, ServedAnswer
from headrace.app.answers.refusals import SHOWN_BYTES, SentAgain, StoredRefusal, StoredRefusals
from headrace.app.answers.signals import RunningExperiments, StoredSignal, StoredSignals
from headrace.app.answers.status import (
    ArmStatus,
    InForce,
    MirrorStatus,
    OverallStatus,
    PlacementStatus,
    QuarantinedStatus,
    ShardState,
    ShardStatus,
    Status,
    Waits,
)
from headrace.app.answers.stored import StoredEntity, StoredValue
from headrace.app.answers.versions import StoredVersion, StoredVersions

__all__ = [
    "SHOWN_BYTES",
    "Answer",
    "Appended",
    "ArmAnswer",
    "ArmStatus",
    "AskedQuestion",
    "At",
    "Controlled",
    "Done",
    "HistoryPoint",
    "HistoryPoints",
    "InForce",
    "MirrorStatus",
    "OverallStatus",
    "PlacementStatus",
    "Position",
    "QuarantinedStatus",
    "RunningExperiments",
    "SentAgain",
    "ServedAnswer",
    "ShardState",
    "ShardStatus",
    "Status",
    "StoredEntity",
    "StoredRefusal",
    "StoredRefusals",
    "StoredSignal",
    "StoredSignals",
    "StoredValue",
    "StoredVersion",
    "StoredVersions",
    "Waits",
    "read_settings",
    "tell_settings",
]

"""The task: one supervised problem, its sources, and the durations in its settings."""

from headrace.learning.task.task import (
    BATCH_MAX,
    LABELS_MAX,
    Duration,
    Feature,
    Json,
    Kind,
    Label,
    Stored,
    Task,
    Unanswered,
    Update,
    Value,
    milliseconds,
)

__all__ = [
    "BATCH_MAX",
    "LABELS_MAX",
    "Duration",
    "Feature",
    "Json",
    "Kind",
    "Label",
    "Stored",
    "Task",
    "Unanswered",
    "Update",
    "Value",
    "milliseconds",
]

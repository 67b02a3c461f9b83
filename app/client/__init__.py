"""Clients of a worker over HTTP: `Client`, `AsyncClient`, their answers and their errors."""

from headrace.app.answers import (
    Answer,
    Appended,
    ArmStatus,
    At,
    ShardStatus,
    Status,
    StoredEntity,
    StoredValue,
)
from headrace.app.client.async_client import AsyncClient
from headrace.app.client.client import Client
from headrace.app.client.errors import (
    AccessError,
    ClientError,
    ConflictError,
    FrameError,
    InvalidRequestError,
    NotFoundError,
    RateError,
    RefusedError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
)
from headrace.app.client.sent import RefusedRow, Sent

__all__ = [
    "AccessError",
    "Answer",
    "Appended",
    "ArmStatus",
    "AsyncClient",
    "At",
    "Client",
    "ClientError",
    "ConflictError",
    "FrameError",
    "InvalidRequestError",
    "NotFoundError",
    "RateError",
    "RefusedError",
    "RefusedRow",
    "Sent",
    "ShardStatus",
    "Status",
    "StoredEntity",
    "StoredValue",
    "UnavailableError",
    "UnexpectedAnswerError",
    "UnreachableError",
]

"""Clients of a worker over HTTP: `Client`, `AsyncClient`, their answers and their errors."""

from headrace.app.answers import (
    Answer,
    Appended,
    ArmStanding,
    At,
    ShardStanding,
    Standing,
    StoredEntity,
    StoredValue,
)
from headrace.app.client.async_client import AsyncClient
from headrace.app.client.client import Client
from headrace.app.client.errors import (
    AccessError,
    ClientError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    RateError,
    RefusedError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
)

__all__ = [
    "AccessError",
    "Answer",
    "Appended",
    "ArmStanding",
    "AsyncClient",
    "At",
    "Client",
    "ClientError",
    "ConflictError",
    "InvalidRequestError",
    "NotFoundError",
    "RateError",
    "RefusedError",
    "ShardStanding",
    "Standing",
    "StoredEntity",
    "StoredValue",
    "UnavailableError",
    "UnexpectedAnswerError",
    "UnreachableError",
]
